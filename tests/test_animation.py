"""Pictures that hold several, as a film; and what films and pictures are called."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import complaint
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.inference import animation, capture
from zoo.inference.job import names

ROOM = render(3, 48, 64)[0]


def several(path, count=3, **options):
    frames = [Image.fromarray(np.roll(ROOM, 9 * i, 1)) for i in range(count)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_every_frame_comes_at_its_rate(tmp_path, suffix):
    timed = {} if suffix == ".tif" else {"duration": 200}
    lossless = {"lossless": True} if suffix == ".webp" else {}
    rate, count, found = animation.frames(several(tmp_path / f"a{suffix}", **timed, **lossless))
    assert rate == pytest.approx(animation.PAGES if suffix == ".tif" else 5)
    frames = list(found)
    assert count == len(frames) == 3
    for i, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - np.roll(ROOM, 9 * i, 1)).mean() < (9 if suffix == ".gif" else 0.1)


def test_one_picture_is_no_film(tmp_path):
    with pytest.raises(ZooError, match="holds one picture"):
        animation.frames(several(tmp_path / "a.png", 1))


def test_a_film_of_an_animation(zoo, tmp_path):
    several(tmp_path / "a.gif", duration=100)
    code, out, err = zoo("predict", "a.gif", "--frames", "all", "-o", "d.npy", "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    assert row["frames"] == 3
    assert row["frame_milliseconds"] > row["milliseconds"] > 0
    assert np.load(tmp_path / "d.npy").shape == (3, 48, 64)
    assert len(list(capture.frames(str(tmp_path / "d.mp4"))[2])) == 3
    assert "(a number of frames is --max-frames)" in complaint(zoo("predict", "a.gif", "--frames", "3"))


def test_webm_is_written_signed_and_read_again(zoo, tmp_path):
    several(tmp_path / "a.gif", duration=100)
    words = ("predict", "a.gif", "--frames", "all", "-o", "d.webm")
    for _ in range(2):  # the second time it is known as our own
        code, _, err = zoo(*words)
        assert code == 0, err
        assert all(line.startswith("lens: ") for line in err.splitlines())
    assert len(list(capture.frames(str(tmp_path / "d.webm"))[2])) == 3


@pytest.mark.parametrize(
    ("sources", "raw", "expected"),
    [
        (["x.jpg"], None, ["x.png"]),
        (["x.jpg", "x.png", "y.jpg"], None, ["x.jpg.png", "x.png.png", "y.png"]),
        (["x.jpg", "X.png"], None, ["x.jpg.png", "X.png.png"]),
        (["a/x.jpg", "b/x.jpg"], None, ["x.png", "x-2.png"]),
        (["a.jpg", "a.raw.jpg"], "png16", ["a.jpg.png", "a.raw.jpg.png"]),
    ],
)
def test_names_keep_the_suffix_where_stems_repeat(sources, raw, expected):
    assert [path.name for path in names(list(map(Path, sources)), Path("out"), raw)] == expected
