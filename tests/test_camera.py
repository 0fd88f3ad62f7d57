"""Cameras: from fields of view, EXIF and files; the ratio of focal lengths; what no camera is."""

import json
import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

import zoo as package
from conftest import complaint, seeded
from zoo import image
from zoo.camera import exif, files
from zoo.camera.intrinsics import NYU, WEIGHTS, Calibration, Camera
from zoo.camera.lens import Lens
from zoo.camera.rays import camera_rays, distorted
from zoo.data.frames import frames
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.evaluation.metrics import measure

SIDES = st.integers(16, 5000)
DEGREES = st.floats(20, 120)
ROS = """image_width: 640
image_height: 480
camera_name: kinect
camera_matrix:
  rows: 3
  cols: 3
  data: [525.0, 0.0, 319.5, 0.0, 526.0, 239.5, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0.1, -0.2, 0.001, 1.0e-3, 0.0]
"""
OPENCV = """%YAML:1.0
---
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 525., 0., 319.5, 0., 526., 239.5, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 1.0000000000000001e-01, -0.2, 0.001, 1e-3, 0. ]
"""
COLMAP = "# cameras\n1 OPENCV 640 480 525 526 320 240 0.1 -0.2 0.001 0.001\n"
TOML = """[camera]
width = 640
height = 480
fx = 525.0
fy = 526.0
cx = 319.5
cy = 239.5
distortion = [0.1, -0.2, 0.001, 0.001]
"""
SAME = {"camera_info.yaml": ROS, "calibration.yml": OPENCV, "cameras.txt": COLMAP, "my.toml": TOML}


@given(DEGREES, SIDES, SIDES)
def test_a_field_of_view_comes_back(degrees, width, height):
    assert Camera.from_fov(degrees, width, height).degrees == pytest.approx(degrees)
    assert Lens.parse(f"{degrees:.6f}deg").camera(width, height).degrees == pytest.approx(degrees, abs=1e-5)


def test_fields_of_view_that_are_known():
    assert NYU.degrees == pytest.approx(63.3, abs=0.05)
    assert Camera.from_35mm(26, 4032, 3024).degrees == pytest.approx(67.3, abs=0.05)
    assert Camera.from_35mm(50, 6000, 4000).degrees == pytest.approx(2 * math.degrees(math.atan(18 / 50)))
    assert Camera.canonical(640, 480).degrees == pytest.approx(58.7, abs=0.1)


@given(DEGREES, st.integers(400, 5000), st.integers(400, 5000), st.floats(0.5, 2), st.floats(0.5, 2))
def test_resizing_changes_no_ray_and_no_factor(degrees, width, height, wider, higher):
    wide, high = round(width * wider), round(height * higher)
    camera = replace(Camera.from_fov(degrees, width, height), cx=width / 3, cy=height / 4)
    other = camera.resized(wide, high)
    corner, again = (((-0.5 - c.cx) / c.fx, (c.height - 0.5 - c.cy) / c.fy) for c in (camera, other))
    assert again == pytest.approx(corner)
    assert other.factor() == pytest.approx(camera.factor())
    back = other.resized(width, height)
    assert astuple(back)[:6] == pytest.approx(astuple(camera)[:6])
    assert astuple(camera.turned().turned().turned().turned())[:6] == pytest.approx(astuple(camera)[:6])


@given(st.floats(0.1, 1), st.floats(0.1, 1))
def test_a_part_of_a_picture_has_its_rays(x, y):
    left, top, width, height = int(64 * (1 - x)), int(48 * (1 - y)), max(1, int(64 * x)), max(1, int(48 * y))
    camera = Camera.from_fov(60, 64, 48)
    part = camera.cropped(left, top, width, height)
    assert np.allclose(camera_rays(part), camera_rays(camera)[top : top + height, left : left + width])
    assert camera.factor(width, height) == pytest.approx(part.factor())


def test_the_factor_is_the_ratio_of_focal_lengths():
    """The published crop of NYU's pictures is the canonical camera itself, and a lens twice as long a factor twice as large."""
    assert NYU.factor(640 * 304 / 333, 480 * 228 / 250) == pytest.approx(1)
    assert NYU.factor() == pytest.approx(0.912, abs=1e-3)
    assert NYU.factor(320, 240) == pytest.approx(2 * NYU.factor())
    assert Camera.canonical(1920, 1080).factor() == 1
    assert sum(WEIGHTS) == 1


RADIAL, TANGENTIAL = st.floats(-0.05, 0.05), st.floats(-0.02, 0.02)


@given(st.tuples(RADIAL, RADIAL, TANGENTIAL, TANGENTIAL, RADIAL))
def test_distortion_is_undone(coefficients):
    camera = replace(Camera.from_fov(60, 64, 48), distortion=coefficients)
    rays = camera_rays(camera)
    seen = distorted(rays[..., :2], camera.distortion)
    straight = camera_rays(replace(camera, distortion=()))
    assert np.abs(seen - straight[..., :2]).max() < 1e-4


def test_distortion_that_no_lens_has_is_refused():
    with pytest.raises(ZooError, match="cannot be undone"):
        camera_rays(replace(Camera.from_fov(100, 64, 48), distortion=(-30.0, 500.0, 0.0, 0.0)))


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("before", ["", "\ufeff"])
def test_every_format_is_read(tmp_path, name, before):
    (tmp_path / name).write_text(before + SAME[name], "utf-8")
    camera = files.read(tmp_path / name)
    assert astuple(camera)[:6] == (640, 480, 525, 526, 319.5, 239.5)
    assert camera.distortion[:4] == (0.1, -0.2, 0.001, 0.001)
    assert not any(camera.distortion[4:])
    assert camera.origin == f"by {name}"


@given(DEGREES, SIDES, SIDES, st.floats(0.1, 10), st.text(max_size=20))
def test_our_own_format_comes_back(tmp_path_factory, degrees, width, height, scale, model):
    known = Calibration(scale, -0.1, 0.02, None, 3, model, "0" * 64)
    path = tmp_path_factory.getbasetemp() / "my-camera.toml"
    camera = replace(Camera.from_fov(degrees, width, height), distortion=(0.1, 0.0, 0.0, -0.1), calibration=known)
    path.write_text(files.dumps(camera, "a comment"), "utf-8")
    again = files.read(path)
    assert astuple(again)[:7] == astuple(camera)[:7]
    assert (again.calibration.scale, again.calibration.scale_error) == (scale, 0.02)


BOMB = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*{'a' if not i else f'b{i - 1}'}, *a]\n" for i in range(30))
HOSTILE = {
    "nan.toml": (TOML.replace("525.0", "nan"), "a camera's numbers are finite"),
    "zero.toml": (TOML.replace("525.0", "0"), "expected more than 0"),
    "negative.yaml": (ROS.replace("525.0", "-525.0"), "expected more than 0"),
    "huge.toml": (TOML.replace("525.0", "1e30"), "see"),
    "infinite.yaml": (ROS.replace("525.0", ".inf"), "finite"),
    "metres.toml": (TOML.replace("525.0", "0.004").replace("526.0", "0.004"), "focal lengths in pixels"),
    "size.toml": (TOML.replace("640", "0"), "sides"),
    "text.toml": (TOML.replace("640", '"640"'), "finite"),
    "unknown.toml": (TOML + "gamma = 2\n", "unknown key camera.gamma"),
    "empty.toml": ("", "camera is missing"),
    "broken.toml": ("[camera", "not a camera"),
    "short.yaml": (ROS.replace("0.0, 0.0, 1.0]", "]"), "no list of 9 numbers"),
    "list.yaml": ("[1, 2]", "no mapping"),
    "none.yaml": ("a: 1", "camera_matrix is missing"),
    "bomb.yaml": (BOMB, "aliases are not read"),
    "deep.yaml": ("[" * 5000, "not a camera"),
    "object.yaml": ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "fisheye.yaml": (ROS.replace("plumb_bob", "equidistant"), "no pinhole"),
    "two.txt": (COLMAP + COLMAP, "2 cameras"),
    "model.txt": ("1 FOV 640 480 1 2 3 4 5", "model FOV"),
    "few.txt": ("1 PINHOLE 640 480 525", "PINHOLE has 4 parameters"),
    "far.txt": ("1 PINHOLE 640 480 525 525 1e9 240", "principal point"),
    "large.toml": ("#" * 70000, "more than"),
    "photo.jpg": ("x", "not a camera that this can read"),
    "missing.toml": (None, "No such file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_camera_is_refused_in_one_line(tmp_path, name):
    text, said = HOSTILE[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ZooError) as caught:
        files.read(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from([".toml", ".yaml", ".txt"]))
def test_any_bytes_are_a_camera_or_refused(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    try:
        files.read(path)
    except ZooError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("word", ["69", "0deg", "180deg", "-5mm", "0mm", "1e9mm", "deg", "nan deg", "none", ""])
def test_words_that_are_no_lens(word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZooError):
        Lens.parse(word)


def tagged(path, size=(64, 48), **tags):
    made = Image.Exif()
    made[ExifTags.Base.Make] = "a camera"
    made.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base[name].value: value for name, value in tags.items()})
    Image.fromarray(render(3, size[1], size[0])[0]).save(path, exif=made)
    return path


def test_exif_tells_of_the_lens(tmp_path):
    by_35mm = image.exif(tagged(tmp_path / "a.jpg", FocalLengthIn35mmFilm=26))
    assert Lens().camera(64, 48, by_35mm).degrees == pytest.approx(67.3, abs=0.05)
    sensor = {"FocalLength": 5.4, "FocalPlaneXResolution": 6000 / 4.8 * 10, "FocalPlaneResolutionUnit": 3}
    by_sensor = image.exif(tagged(tmp_path / "b.jpg", **sensor, ExifImageWidth=6000, ExifImageHeight=4500))
    across = 2 * math.degrees(math.atan(4.8 / 2 / 5.4))
    assert Lens().camera(64, 48, by_sensor).degrees == pytest.approx(across, rel=1e-4)
    assert Lens().camera(48, 64, by_sensor).degrees == pytest.approx(across, rel=1e-4)  # held upright
    assert Lens().camera(64, 48, {}).unknown
    cut = by_35mm | {exif.WIDTH: 4000, exif.HEIGHT: 2250}
    assert "cut since" in Lens().camera(64, 48, cut).origin
    with pytest.raises(ZooError, match="cut since"):
        Lens.parse("exif").camera(64, 48, cut)
    with pytest.raises(ZooError, match="no lens in EXIF"):
        Lens.parse("exif").camera(64, 48, {})


@given(st.dictionaries(st.sampled_from([0x920A, 0xA405, 0xA20E, 0xA210, 0xA002, 0xA003]), st.integers() | st.floats()))
def test_exif_may_say_anything(tags):
    Lens().camera(64, 48, tags)


@given(SIDES, st.integers(1, 10**5))
def test_any_picture_has_a_camera_if_nothing_is_known(width, height):
    assert Lens().camera(width, height).factor() == 1


def test_a_predictor_corrects_depth_by_the_lens(tmp_path):
    network = seeded("fastdepth_pruned")
    plain, picture = package.Predictor(network, 32, 32, threads=1), render(3, 48, 64)[0]
    depth = plain(picture)
    camera = Camera.from_fov(40, 64, 48)
    for given_camera in (camera, "40deg"):
        assert np.allclose(
            package.Predictor(network, 32, 32, threads=1, camera=given_camera)(picture), depth * camera.factor()
        )
    known = replace(camera, calibration=Calibration(2.0, -0.5))
    expected = np.maximum(2 * depth * camera.factor() - 0.5, 0)
    assert np.allclose(package.Predictor(network, 32, 32, threads=1, camera=known)(picture), expected, atol=1e-5)
    photo = tagged(tmp_path / "a.png", FocalLengthIn35mmFilm=26)
    assert np.allclose(plain(photo), depth * Camera.from_35mm(26, 64, 48).factor())
    with Image.open(photo) as opened:
        assert np.array_equal(plain([opened])[0], plain(photo))
    with pytest.raises(ZooError, match="pictures are 64x48, this one is 64x64, of another shape"):
        package.Predictor(network, 32, 32, threads=1, camera=camera)(np.zeros((64, 64, 3), np.uint8))
    wide = render(3, 20, 90)[0]  # seen in windows
    assert package.Predictor(network, 32, 32, threads=1, camera="100deg")(wide).shape == (20, 90)


def test_a_lens_for_predict(zoo, tmp_path, artifact):
    tagged(tmp_path / "a.jpg", FocalLengthIn35mmFilm=26)
    tagged(tmp_path / "b.jpg")
    (tmp_path / "kinect.yaml").write_text(ROS)
    rows = {}
    for word in ("", "69deg", "kinect.yaml"):
        options = ("--camera", word) if word else ()
        code, out, err = zoo("predict", "a.jpg", "b.jpg", "-o", "d", "--artifact", artifact, "--json", *options)
        assert code == 0, err
        rows[word] = json.loads(out)
    assert [row["camera"]["origin"] for row in rows[""]] == ["26 mm equivalent by EXIF", "unknown"]
    assert [row["camera"]["origin"] for row in rows["69deg"]] == ["as given"] * 2
    assert rows["kinect.yaml"][0]["camera"]["fx"] == 52.5
    assert rows[""][1]["camera"]["factor"] == 1
    middle = rows[""][1]["median_m"]
    for word in ("69deg", "kinect.yaml"):
        factor = rows[word][1]["camera"]["factor"]
        assert factor != 1
        assert rows[word][1]["median_m"] == pytest.approx(middle * factor, rel=1e-4)
    assert "lens: unknown, taken as 59 degrees across" in zoo("predict", "b.jpg", "--artifact", artifact)[2]
    assert "no lens in EXIF" in complaint(zoo("predict", "b.jpg", "--artifact", artifact, "--camera", "exif"))
    assert "no lens 'wide'; give 69deg" in complaint(zoo("predict", "b.jpg", "--camera", "wide"))


def test_a_lens_for_eval(zoo, tmp_path):
    for part in ("rgb", "depth"):
        (tmp_path / part).mkdir()
    picture, depth = render(3, 48, 64)
    Image.fromarray(picture).save(tmp_path / "rgb" / "a.png")
    Image.fromarray((depth * 1000).astype(np.uint16)).save(tmp_path / "depth" / "a.png")
    bias = {}
    for protocol in ("whole", "published"):
        for words in ((), ("--camera", "63.3deg")):
            code, out, err = zoo(
                "eval", "--dataset", tmp_path, "--protocol", protocol, "--threads", 1, "--json", *words
            )
            assert code == 0, err
            bias[protocol, bool(words)] = 1 + json.loads(out)["metrics"]["depth_bias"]
    assert bias["whole", True] / bias["whole", False] == pytest.approx(0.912, abs=2e-3)
    assert bias["published", True] / bias["published", False] == pytest.approx(1, abs=0.02)


def test_a_longer_lens_keeps_its_metres(data):
    """Held-out frames cut as a longer lens would see them: every eighth, as all of them take a minute."""
    network = package.load("fastdepth_pruned")
    found = [frame.load() for frame in frames(data / "nyu_train")[-80::8]]
    for share, least in ((0.75, 0.70), (0.6, 0.62)):
        width, height = round(640 * share), round(480 * share)
        left, top = (640 - width) // 2, (480 - height) // 2
        predict = package.Predictor(network, camera=NYU.cropped(left, top, width, height), threads=1)
        scores = []
        for whole in found:
            picture, depth = (part[top : top + height, left : left + width] for part in whole)
            scores.append(measure(predict(picture), depth, (depth > 0) & (depth < 9.9))["delta1"])
        assert np.mean(scores) >= least
