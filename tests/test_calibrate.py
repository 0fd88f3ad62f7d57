"""zoo calibrate: the scale and the shift that known distances tell, and how sure they are."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import zoo as package
from conftest import complaint, small_frames
from zoo.camera import files
from zoo.camera.calibrate import fit
from zoo.camera.intrinsics import Calibration, Camera
from zoo.camera.rays import camera_rays
from zoo.data.rooms import render
from zoo.errors import ZooError

DEPTHS = st.lists(st.floats(0.5, 10), min_size=1, max_size=4)


def tapes(predicted, measured):
    return [(np.array([p]), np.array([m])) for p, m in zip(predicted, measured, strict=True)]


@given(DEPTHS, st.floats(0.2, 5))
def test_one_scale_is_found_exactly(predicted, scale):
    found = fit(tapes(predicted, np.array(predicted) * scale))
    assert (found.scale, found.shift, found.shift_error) == (pytest.approx(scale), 0, None)
    assert (found.scale_error is None) == (len(predicted) == 1)


@given(st.floats(0.5, 2), st.floats(0.1, 1) | st.floats(-0.3, -0.1))
def test_a_shift_is_found_where_many_distances_show_it(scale, shift):
    predicted = np.linspace(1, 8, 12)
    found = fit(tapes(predicted, scale * predicted + shift))
    assert (found.scale, found.shift) == (pytest.approx(scale), pytest.approx(shift))
    assert np.allclose(found.apply(predicted), scale * predicted + shift)


def test_noise_is_no_shift_and_the_deviation_is_true():
    """Over many draws the scale varies by as much as each says that it may."""
    rng, scales, said, shifts = np.random.default_rng(0), [], [], 0
    for _ in range(200):
        predicted = rng.uniform(1, 6, 10)
        found = fit(tapes(predicted, 1.3 * predicted * np.exp(rng.normal(0, 0.1, 10))))
        shifts += found.shift != 0
        if not found.shift:
            scales.append(found.scale)
            said.append(found.scale_error)
    assert shifts < 20
    assert np.mean(scales) == pytest.approx(1.3, rel=0.02)
    assert np.mean(said) == pytest.approx(np.std(scales), rel=0.2)


def test_one_distance_often_supports_no_shift():
    assert fit(tapes([2.0] * 8, [3.0] * 8)).shift == 0


@pytest.mark.parametrize(
    ("predicted", "measured"),
    [([], []), ([0.0], [1.0]), ([np.nan], [1.0]), ([1.0], [np.nan]), ([1.0], [0.0]), ([1.0], [1e9])],
)
def test_what_tells_nothing_is_refused(predicted, measured):
    with pytest.raises(ZooError):
        fit(tapes(predicted, measured))


def test_a_room_measured_with_a_tape(zoo, tmp_path):
    """Two points of a photo, by their straight distance; afterwards depth is as measured, through --camera."""
    pixels, _ = render(3, 48, 64)
    Image.fromarray(pixels).save(tmp_path / "room.png")
    depth = package.Predictor(package.load("fastdepth_pruned"), threads=1, camera="70deg")(pixels)
    camera, words = Camera.from_fov(70, 64, 48), []
    for x, y in ((32, 24), (5, 40)):
        slant = np.linalg.norm(camera_rays(camera)[y, x])
        words += ["--at", f"{x},{y}", "--metres", f"{1.5 * np.median(depth[y : y + 1, x : x + 1]) * slant:.6f}"]
    code, out, err = zoo("calibrate", "room.png", *words, "--camera", "70deg", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["calibration"]["scale"] == pytest.approx(1.5, rel=1e-4)
    assert found["abs_rel_before"] == pytest.approx(1 / 3, rel=1e-4)
    assert found["abs_rel_after"] < 1e-4
    assert files.read(tmp_path / "my-camera.toml").calibration.model == "fastdepth_pruned"
    code, out, err = zoo("predict", "room.png", "--camera", "my-camera.toml", "--raw", "npy", "--json")
    assert code == 0, err
    assert np.allclose(np.load(tmp_path / "room-depth.npy"), 1.5 * depth, rtol=1e-3)
    assert (
        "calibrated with other weights"
        in zoo("predict", "room.png", "--camera", "my-camera.toml", "-m", "fastdepth")[2]
    )
    (tmp_path / "theirs.toml").write_text("[camera]")
    for words, said in (
        (("room.png", "--at", "64,1", "--metres", "2"), "outside of room.png, which has 64x48 pixels"),
        (("room.png", "--at", "1,1"), "as many --at as --metres"),
        (("room.png", "--at", "1,1", "--metres", "-2"), "distances are 0.05 to 100 metres"),
        (("room.png", "--at", "1,1", "--metres", "2", "-o", "theirs.toml"), "did not write it"),
    ):
        assert said in complaint(zoo("calibrate", *words))
    assert (tmp_path / "theirs.toml").read_text() == "[camera]"


def test_a_depth_camera_s_frames(zoo, tmp_path):
    code, out, err = zoo("calibrate", "--dataset", small_frames(tmp_path, 6), "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["calibration"]["points"] == 6
    assert found["abs_rel_after"] < found["abs_rel_before"]


def test_the_distance_of_two_points(zoo, tmp_path):
    pixels, _ = render(3, 48, 64)
    Image.fromarray(pixels).save(tmp_path / "room.png")
    code, out, err = zoo("measure", "room.png", "5,40", "60,10", "--camera", "70deg", "--json")
    assert code == 0, err
    found = json.loads(out)
    first, second = (np.array(point["place_m"]) for point in found["points"])
    assert found["apart_m"] == pytest.approx(np.linalg.norm(first - second))
    assert first[:2] / first[2] == pytest.approx(camera_rays(Camera.from_fov(70, 64, 48))[40, 5][:2])
    assert "60,48: outside of room.png" in complaint(zoo("measure", "room.png", "5,40", "60,48"))


def test_calibrated_depth_is_never_behind_the_camera():
    assert Calibration(1.0, -1.0).apply(np.array([0.5, 2.0], np.float32)).tolist() == [0.0, 1.0]
