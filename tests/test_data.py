from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from zoo.data import store
from zoo.data.frames import frames
from zoo.data.rooms import render
from zoo.data.sources import Request
from zoo.data.stream import batch, deal
from zoo.errors import ZooError
from zoo.training.recipe import Phase

HEIGHT, WIDTH = 48, 64
PICTURE, DEPTH = render(3, HEIGHT, WIDTH)


def quiet(what, done, total):
    pass


def folder(path, count=4):
    for part in ("rgb", "depth"):
        (path / part).mkdir(parents=True)
    for i in range(count):
        Image.fromarray(np.roll(PICTURE, i, 1)).save(path / "rgb" / f"{i}.png")
        Image.fromarray((DEPTH * 1000).round().astype(np.uint16)).save(path / "depth" / f"{i}.png")
    return path


def as_h5(path):
    for scene in ("bath", "kitchen"):
        (path / scene).mkdir(parents=True)
        with h5py.File(path / scene / "00001.h5", "w") as file:
            file["rgb"], file["depth"] = PICTURE.transpose(2, 0, 1), DEPTH
    return path


def as_mat(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:  # MATLAB's axes come out reversed
        file["images"], file["depths"] = np.stack([PICTURE.T] * 2), np.stack([DEPTH.T] * 2)
    return path


@pytest.mark.parametrize(
    "make", [folder, as_h5, lambda path: as_mat(path / "labelled.mat")], ids=["pairs", "h5", "mat"]
)
def test_every_layout_gives_the_same_pictures_and_metres(tmp_path, make):
    found = frames(make(tmp_path / "data"))
    assert len(found) >= 2
    picture, depth = found[0].load()
    assert np.array_equal(picture, PICTURE)
    assert depth.dtype == np.float32
    assert np.abs(depth - DEPTH).max() <= 0.0005 + 1e-6


@pytest.mark.parametrize(("make", "units"), [(folder, 1000), (as_h5, 1), (lambda path: as_mat(path / "x.MAT"), 1)])
def test_the_scale_is_units_to_the_metre_in_every_layout(tmp_path, make, units):
    made = make(tmp_path / "data")
    found = frames(made, scale=units / 2)
    assert np.allclose(found[0].load()[1], 2 * DEPTH, atol=0.002)
    assert (found[0].scale, frames(made)[0].scale) == (units / 2, units)


@pytest.mark.parametrize("name", ["x.h5", "x.H5", "x.hdf5"])
@pytest.mark.parametrize("axes", [(2, 0, 1), (0, 1, 2)], ids=["CHW", "HWC"])
def test_one_hdf5_file_by_its_name_in_either_order_of_axes(tmp_path, name, axes):
    with h5py.File(tmp_path / name, "w") as file:
        file["rgb"], file["depth"] = PICTURE.transpose(axes), (DEPTH * 1000).astype(np.uint16)
    for path in (tmp_path / name, tmp_path):
        (found,) = frames(path, scale=1000)
        picture, depth = found.load()
        assert np.array_equal(picture, PICTURE)
        assert np.abs(depth - DEPTH).max() <= 0.001


@pytest.mark.parametrize("place", ["rgb", "depth", "rgb/0.png"])
def test_a_part_of_a_dataset_is_answered_with_the_whole(tmp_path, place):
    data = folder(tmp_path / "data")
    with pytest.raises(ZooError, match=rf"{place}: no frames; expected .*; perhaps {data} is meant"):
        frames(data / place)


def test_hdf5_files_that_hold_something_else_are_named(tmp_path):
    for name, rgb, depth in (("a", PICTURE[..., :2], DEPTH), ("b", PICTURE, DEPTH[1:]), ("c", PICTURE, np.array(b"x"))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["rgb"], file["depth"] = rgb, depth
        with pytest.raises(ZooError, match=rf"{name}\.h5: "):
            frames(tmp_path / f"{name}.h5")[0].load()


def test_the_first_frames_are_kept_and_the_last_held_out(tmp_path):
    request = Request(folder(tmp_path / "data", 6), tmp_path / "cache", reserve=2, hold_out=1)
    names = [[frame.name[-5] for frame in part] for part in request.split()]
    assert names == [["2", "3", "4"], ["5"]]
    with pytest.raises(ZooError, match="6 frames; more than 6 are needed"):
        replace(request, hold_out=4).split()


def test_another_scale_is_another_store(tmp_path):
    data = folder(tmp_path / "data")
    made = [store.measured(frames(data, scale), tmp_path / "store", quiet).depths.clone() for scale in (1000, 500)]
    assert torch.allclose(2 * made[0], made[1], rtol=0.01)


def spoil_pair(path):
    (path / "depth" / "0.png").unlink()


def spoil_size(path):
    Image.fromarray(np.ones((5, 5), np.uint16)).save(path / "depth" / "0.png")


def spoil_picture(path):
    file = path / "rgb" / "0.png"
    file.write_bytes(file.read_bytes()[:-200])


def spoil_depth_file(path):
    file = path / "depth" / "0.png"
    file.write_bytes(file.read_bytes()[:60])


def spoil_zero(path):
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint16)).save(path / "depth" / "0.png")


def spoil_bits(path):
    Image.fromarray(PICTURE).save(path / "depth" / "0.png")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_pair, r"depth/0\.png: no such file, so 0\.png has no depth"),
        (spoil_size, r"0\.png: picture \(48, 64\) and depth \(5, 5\) differ"),
        (spoil_picture, r"rgb/0\.png: damaged picture"),
        (spoil_depth_file, r"depth/0\.png: damaged picture"),
        (spoil_zero, r"depth/0\.png: its depth is 0 everywhere"),
        (spoil_bits, r"depth/0\.png: expected one channel of 16 bits"),
    ],
)
def test_a_bad_frame_is_left_out_and_named(tmp_path, spoil, reason):
    data = folder(tmp_path / "data")
    spoil(data)
    with pytest.raises(ZooError, match=reason):
        frames(data)[0].load()
    made = store.measured(frames(data), tmp_path / "store", quiet)
    assert len(made.images) == 3
    assert len(made.skipped) == 1


@pytest.mark.parametrize("name", ["x.h5", "x.mat"])
def test_a_file_that_is_not_hdf5_is_named(tmp_path, name):
    (tmp_path / name).write_text("no")
    with pytest.raises(ZooError, match=rf"{name}: not a file with"):
        frames(tmp_path / name if name.endswith("mat") else tmp_path)[0].load()


def test_a_folder_without_frames_is_named(tmp_path):
    with pytest.raises(ZooError, match="no frames; expected rgb/ and depth/"):
        frames(tmp_path)


def test_a_store_is_made_once_and_again_for_other_sources(tmp_path, pruned):
    photos = [tmp_path / "data" / "rgb" / f"{i}.png" for i in range(4)]
    folder(tmp_path / "data")
    photos.append(tmp_path / "data" / "none.png")
    calls = []

    def count(*given):
        calls.append(given)

    first = store.pseudo_labelled(photos, pruned, "a", tmp_path / "store", count)
    assert (len(first.images), first.skipped) == (4, (f"{photos[-1]}: no such file",))
    assert torch.isfinite(first.depths.float()).all()
    made = len(calls)
    again = store.pseudo_labelled(photos, pruned, "a", tmp_path / "store", count)
    assert len(calls) == made
    assert torch.equal(first.images, again.images)
    store.pseudo_labelled(photos, pruned, "b", tmp_path / "store", count)
    assert len(calls) > made


def test_a_store_that_was_not_finished_is_made_again(tmp_path):
    data = frames(folder(tmp_path / "data"))

    def dies(what, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.measured(data, tmp_path / "store", dies)
    made = store.measured(data, tmp_path / "store", quiet)
    assert len(made.images) == 4
    assert made.depths[-1].max() > 0


def test_nothing_but_bad_files_is_an_error(tmp_path):
    data = folder(tmp_path / "data", 1)
    spoil_zero(data)
    with pytest.raises(ZooError, match=r"nothing to train on; 1 files were bad, the first: .*0 everywhere"):
        store.measured(frames(data), tmp_path / "store", quiet)


def test_rendered_rooms_are_a_store_too(tmp_path):
    made = store.rendered(2, tmp_path, quiet)
    assert made.images.shape == (2, 3, *store.FRAME)
    assert made.depths.float().min() > 0.2


def test_batches_are_what_they_should_be(tmp_path):
    made = store.measured(frames(folder(tmp_path / "data")), tmp_path / "store", quiet)
    images, depths = batch([(made, 6)], Phase(64, 6, 6), 4, 1.0, torch.Generator().manual_seed(0))
    assert images.shape == (6, 3, 64, 64)
    assert depths.shape == (6, 1, 16, 16)
    assert images.min() >= 0
    assert images.max() <= 1
    again, _ = batch([(made, 6)], Phase(64, 6, 6), 4, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(images, again)
    weights = {"frames": 0.45, "photos": 0.55, "rooms": 0.1}
    assert deal(dict.fromkeys(weights, made), weights, 16) == [(made, 7), (made, 8), (made, 1)]
    assert deal({"frames": made, "rooms": made}, weights, 16) == [(made, 13), (made, 3)]  # rooms keep their own share
    assert deal({"frames": made, "photos": made}, {"frames": 0.5, "photos": 0.5}, 3) == [(made, 2), (made, 1)]
    assert deal({"frames": made, "rooms": made}, {"frames": 1}, 3) == [(made, 3), (made, 0)]
    with pytest.raises(ZooError, match="samples from photos and rooms, and none of these is given; given: frames"):
        deal({"frames": made}, {"photos": 0.5, "rooms": 0.5}, 8)


@pytest.mark.parametrize(("side", "low", "high"), [(224, 1.0, 1.5), (160, 0.845, 1.268)])
def test_depth_goes_with_apparent_size(side, low, high):
    """A pixel shows the same angle, times the scale, at every side: 3 m must read 3 / scale."""
    flat = store.Store(torch.zeros(1, 3, 24, 32, dtype=torch.uint8), torch.full((1, 1, 24, 32), 3.0).half(), 1.0, ())
    _, depths = batch([(flat, 64)], Phase(side, 64, 64), 5, 1.0, torch.Generator().manual_seed(0))
    scales = 3.0 / depths[:, 0, 0, 0]
    assert low <= scales.min() < low * 1.05
    assert high * 0.95 < scales.max() <= high * 1.001
    _, depths = batch([(flat, 64)], Phase(side, 64, 64, scale_bias=2.0), 5, 1.0, torch.Generator().manual_seed(0))
    crowded = 3.0 / depths[:, 0, 0, 0]
    assert low <= crowded.min()
    assert high * 0.95 < crowded.max() <= high * 1.001
    assert torch.allclose((crowded - low) / (high - low), ((scales - low) / (high - low)) ** 2, atol=0.01)


class Brightness(torch.nn.Module):
    """A teacher whose depth can be read off the picture: 1 m and its mean colour."""

    def forward(self, images):
        return 1 + images.mean(1, keepdim=True)


@pytest.mark.parametrize(("side", "stages"), [(224, 5), (160, 4)])
def test_the_teacher_is_asked_about_views_as_they_are_shown(side, stages):
    def made(value, teacher=None):
        picture = torch.full((1, 3, 24, 32), value, dtype=torch.uint8)
        return store.Store(picture, torch.full((1, 1, 24, 32), 3.0).half(), 1.0, (), teacher)

    def seen(mixup, jitter=1.0):
        phase = Phase(side, 24, 24, mixup=mixup)
        sources = [(made(255), 8), (made(0, Brightness()), 16)]
        return batch(sources, phase, stages, jitter, torch.Generator().manual_seed(0))

    images, depths = seen(0.5)
    assert images.shape == (24, 3, side, side)
    assert torch.equal(depths[:8], seen(0.0)[1][:8])  # measured depth stays as it is
    shown = (1 + torch.nn.functional.interpolate(images[8:].mean(1, keepdim=True), depths.shape[2:])) * 224 / side
    assert (depths[8:] - shown).abs().median() < 0.01

    white = seen(0.5, 0.0)[0].amax((1, 2, 3)) > 0
    assert white[:8].all()  # only the views of photos are blended
    assert 0 < white[8:].sum() < 16
    every = seen(1.0, 0.0)[0][8:]
    assert ((every > 0.01) & (every < 0.99)).any()  # faded
    assert torch.equal(seen(1.0)[0], seen(1.0)[0])


def test_rooms_are_the_same_for_the_same_seed_and_their_depth_is_exact():
    picture, depth = render(5, 60, 80)
    again, _ = render(5, 60, 80)
    assert np.array_equal(picture, again)
    assert not np.array_equal(picture, render(6, 60, 80)[0])
    large = render(5, 180, 240)[1][1::3, 1::3]  # the same rays, three times as dense
    assert np.allclose(depth, large, rtol=1e-4)
    assert 0.2 < depth.min() < depth.max() < 8
