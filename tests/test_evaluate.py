import json

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import complaint
from zoo import importers as convert
from zoo.data.frames import Frame, frames
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.evaluation.evaluate import evaluate, evaluation_frame, evaluation_frames
from zoo.evaluation.protocols import PROTOCOLS
from zoo.variant import variant
from zoo.visual import gallery


def quiet(what, done, total):
    pass


def frame(depth, name="f"):
    picture = np.random.default_rng(0).integers(0, 255, (*depth.shape, 3)).astype(np.uint8)
    return Frame(name, lambda: (picture, depth.astype(np.float32)))


@pytest.mark.parametrize(("protocol", "shape"), [("published", (224, 224)), ("whole", (480, 640))])
def test_a_network_that_knows_the_answer_is_perfect_and_one_off_by_half_is_not(protocol, shape):
    ready, _ = evaluation_frames([frame(np.full((480, 640), 2.0))], PROTOCOLS[protocol], quiet)
    assert ready[0].depth.shape == shape
    perfect, _ = evaluate(lambda x: torch.full((1, 1, *x.shape[2:]), 2.0), ready)
    assert perfect["delta1"] == 1
    assert perfect["rmse_m"] == 0
    off, _ = evaluate(lambda x: torch.full((1, 1, *x.shape[2:]), 3.0), ready)
    assert off["delta1"] == 0
    assert off["abs_rel"] == pytest.approx(0.5)
    assert off["delta1_scaled"] == 1


def test_the_mask_leaves_out_what_is_unknown_or_far():
    depth = np.full((480, 640), 2.0)
    depth[:100] = 0
    depth[300:] = 9.95
    assert evaluation_frame(frame(depth), PROTOCOLS["whole"]).mask.sum() == 200 * 640


def test_eigen_s_crop_and_cap():
    """Outside rows 45:471, columns 41:601 nothing counts; predictions beyond 10 m are taken for 10 m."""
    depth = np.full((480, 640), 9.95)
    depth[:45], depth[471:], depth[:, :41], depth[:, 601:] = 1, 1, 1, 1
    ready = evaluation_frame(frame(depth), PROTOCOLS["eigen"])
    assert ready.mask.sum() == (471 - 45) * (601 - 41)
    scores, _ = evaluate(lambda x: torch.full((1, 1, *x.shape[2:]), 50.0), [ready])
    assert scores["rmse_m"] == pytest.approx(0.05, abs=1e-3)
    assert scores["depth_bias"] == pytest.approx(50 / 9.95 - 1, rel=1e-3)
    with pytest.raises(ZooError, match="f: 48x64; protocol eigen is for 480x640"):
        evaluation_frame(frame(np.full((48, 64), 2.0)), PROTOCOLS["eigen"])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Two rendered rooms, 256 units to the metre."""
    path = tmp_path_factory.mktemp("rendered")
    for part in ("rgb", "depth"):
        (path / part).mkdir()
    for seed in (3, 5, 8):
        picture, depth = render(seed, 240, 320)
        Image.fromarray(picture).save(path / "rgb" / f"{seed}.png")
        Image.fromarray((depth * 256).round().astype(np.uint16)).save(path / "depth" / f"{seed}.png")
    return path


def test_a_dataset_in_another_unit_is_noticed(zoo, rendered):
    code, out, err = zoo("eval", "--dataset", rendered, "--json")
    assert code == 0, err
    assert "times smaller than predicted, though shapes agree" in err
    assert "--scale 256 fits" in err
    said = json.loads(out)
    assert (said["protocol"], said["mask"], said["fitting_scale"]) == ("published", "0 < depth < 9.9 m", 256)
    code, out, err = zoo("eval", "--dataset", rendered, "--scale", 256, "--protocol", "whole", "--first", 2)
    assert (code, err) == (0, "")
    assert "mean over 2 frames, whole protocol" in out
    for line in ("delta1 ", "abs_rel ", "depth_bias ", "depth_spread "):
        assert [row for row in out.splitlines() if row.startswith(line)], line


def test_a_scale_that_leaves_nothing_to_compare_is_said(zoo, rendered):
    said = complaint(zoo("eval", "--dataset", rendered, "--scale", 2))
    assert "no depth between 0 and 9.9 m to compare with; its median is" in said
    assert "--first or --last" in complaint(zoo("eval", "--dataset", rendered, "--first", 1, "--last", 1))
    assert "--recipe is now called --protocol" in complaint(zoo("eval", "--dataset", rendered, "--recipe", "whole"))


def test_frames_that_cannot_be_evaluated_are_named():
    good, bad = frame(np.full((48, 64), 2.0)), frame(np.full((48, 64), 30.0), "far")
    ready, skipped = evaluation_frames([good, bad], PROTOCOLS["published"], quiet)
    assert len(ready) == 1
    assert skipped == [
        "far: no depth between 0 and 9.9 m to compare with; its median is 30 m (--scale says how many of its units are a metre)"
    ]
    with pytest.raises(ZooError, match="no frame can be evaluated; the first: far"):
        evaluation_frames([bad], PROTOCOLS["published"], quiet)


def test_the_worst_come_first(tmp_path):
    ready, _ = evaluation_frames(
        [frame(np.full((48, 64), float(d)), f"{d}.png") for d in (1, 2, 3)], PROTOCOLS["published"], quiet
    )

    def two(x):
        return torch.full((1, 1, *x.shape[2:]), 2.0)

    _, rows = evaluate(two, ready)
    gallery.worst(two, ready, rows, tmp_path / "worst.png")
    with Image.open(tmp_path / "worst.png") as made:
        assert made.width == 4 * (240 + 8) + 8 + 2 * 84
        heights = [22 + place * (22 + 180 + 8) + 22 + 90 for place in range(3)]
        errors = [made.getpixel((made.width - 84 - 8 - 120, height)) for height in heights]
    order = sorted((1, 2, 3), key=lambda d: rows[d - 1]["delta1"])
    assert [(red > blue, red < blue) for red, _, blue in errors] == [
        (d < 2, d > 2) for d in order
    ]  # warm where too far
    gallery.cases(two, ready, rows, tmp_path / "cases.jpg")
    assert (tmp_path / "cases.jpg").stat().st_size < 120_000
    with pytest.raises(ZooError, match="cannot write this kind"):
        gallery.worst(two, ready, rows, tmp_path / "worst.gif")


def test_the_authors_network_measures_what_others_measured(data):
    """Independent numbers for the imported teacher, mask 0 < depth < 9.9 m: 0.936 on the last 80 frames."""
    file = data / "original" / "fast_depth_224.tflite"
    teacher = convert.fill(variant("fastdepth_pruned"), convert.read(file), file).eval()
    ready, _ = evaluation_frames(frames(data / "nyu_train")[-80:], PROTOCOLS["published"], quiet)
    scores, _ = evaluate(teacher, ready)
    assert scores["delta1"] == pytest.approx(0.936, abs=0.003)


@pytest.mark.slow
def test_the_authors_network_measures_what_others_measured_on_all_frames(data):
    file = data / "original" / "fast_depth_224.tflite"
    teacher = convert.fill(variant("fastdepth_pruned"), convert.read(file), file).eval()
    ready, _ = evaluation_frames(frames(data / "nyu_train"), PROTOCOLS["published"], quiet)
    scores, _ = evaluate(teacher, ready)
    assert scores["delta1"] == pytest.approx(0.921, abs=0.003)
    assert scores["rmse_m"] == pytest.approx(0.418, abs=0.003)
    assert scores["abs_rel"] == pytest.approx(0.090, abs=0.003)
