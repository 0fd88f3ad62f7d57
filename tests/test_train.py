import csv

import numpy as np
import pytest
import torch
from PIL import Image

from zoo import train as training
from zoo.data import nyu
from zoo.data.rooms import render
from zoo.data.stream import Labelled, Taught, batch
from zoo.errors import ZooError
from zoo.train import Recipe, loss, train
from zoo.variant import variant

RECIPE = Recipe(((32, 2, 8), (64, 2, 4)))


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Rooms rendered small, laid out as the NYU folder: three to train on, the rest held out."""
    folder = tmp_path_factory.mktemp("frames")
    for part in ("rgb", "depth"):
        (folder / part).mkdir()
    picture, depth = render(3, 48, 64)
    for i in range(nyu.VALIDATION + 3):
        Image.fromarray(np.roll(picture, i, 1)).save(folder / "rgb" / f"{i:05}.jpg")
        Image.fromarray((depth * 1000).astype(np.uint16)).save(folder / "depth" / f"{i:05}.png")
    return folder


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_a_run_that_was_stopped_ends_with_the_same_bits(frames, tmp_path, monkeypatch):
    v = variant("fastdepth_pruned")
    photos = [path for path, _ in nyu.pairs(frames)[:4]]
    teacher = training.FastDepth(v)
    whole = train(v, RECIPE, frames, photos, teacher, tmp_path / "whole")

    monkeypatch.setattr(training, "SAVE_SECONDS", -1)  # save at every step
    calls, real = [], training.batch

    def dies_at_the_fourth(*given):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(training, "batch", dies_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        train(v, RECIPE, frames, photos, teacher, tmp_path / "stopped")
    assert train(v, RECIPE, frames, photos, teacher, tmp_path / "stopped") == whole
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")
    rows = list(csv.DictReader((tmp_path / "stopped" / "log.csv").read_text().splitlines()))
    assert [int(row["steps"]) for row in rows] == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_is_left_alone_and_another_one_refused(frames, tmp_path):
    v = variant("fastdepth_pruned")
    recipe = Recipe(((32, 2, 4),))
    train(v, recipe, frames, [], None, tmp_path)
    before = weights(tmp_path)
    train(v, recipe, frames, [], None, tmp_path)
    assert weights(tmp_path) == before
    with pytest.raises(ZooError, match=r"state\.pt: belongs to another run"):
        train(v, Recipe(((32, 2, 4),), seed=1), frames, [], None, tmp_path)


def test_the_loss_is_zero_for_the_truth_and_ignores_unknown_pixels():
    depth = torch.rand(2, 1, 8, 8) + 1
    assert loss(depth, depth).item() == 0
    unknown = depth.clone()
    unknown[..., :3, :] = 0
    assert loss(depth * torch.where(unknown > 0, 1.0, 7.0), unknown).item() == 0
    assert loss(depth + 0.1, depth).item() > 0.1


def test_batches_are_what_they_should_be(frames, pruned):
    pairs = nyu.pairs(frames)
    sources = [Labelled(pairs[:3]), Taught([path for path, _ in pairs[:3]], pruned)]
    rng = torch.Generator().manual_seed(0)
    images, depths = batch(sources, 6, 64, rng)
    assert images.shape == (6, 3, 64, 64)
    assert depths.shape == (6, 1, 64, 64)
    assert images.min() >= 0
    assert images.max() <= 1
    again, _ = batch(sources, 6, 64, torch.Generator().manual_seed(0))
    assert torch.equal(images, again)


def test_a_closer_look_divides_the_depth(frames):
    source = Labelled(nyu.pairs(frames)[:1])
    source.depths[:] = 3.0
    _, depths = batch([source], 64, 32, torch.Generator().manual_seed(0))
    scales = 3.0 / depths[:, 0, 0, 0]
    assert 1 <= scales.min() < 1.1
    assert 1.4 < scales.max() <= 1.5


@pytest.mark.parametrize("text", ["", "phases = 3", "phases = [[100, 2, 2]]", "phases = [[32, 2, 2]]\ncolour = 1", "["])
def test_a_recipe_that_makes_no_sense_is_named(tmp_path, text):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(ZooError, match=r"recipe\.toml: "):
        Recipe.read(tmp_path / "recipe.toml")


def test_a_folder_without_frames_is_named(tmp_path):
    with pytest.raises(ZooError, match="no pictures in rgb"):
        nyu.pairs(tmp_path)
    (tmp_path / "rgb").mkdir()
    (tmp_path / "rgb" / "00001.jpg").touch()
    with pytest.raises(ZooError, match=r"00001\.png: no such file \(1 of 1"):
        nyu.pairs(tmp_path)


def test_rooms_are_the_same_for_the_same_seed_and_their_depth_is_exact():
    picture, depth = render(5, 60, 80)
    again, _ = render(5, 60, 80)
    assert np.array_equal(picture, again)
    assert not np.array_equal(picture, render(6, 60, 80)[0])
    large = render(5, 180, 240)[1][1::3, 1::3]  # the same rays, three times as dense
    assert np.allclose(depth, large, rtol=1e-4)
    assert 0.2 < depth.min() < depth.max() < 8
