"""What a folder gives, what it leaves out and says so, and what a list holds."""

import base64
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from conftest import complaint
from zoo import image
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.inference.sources import expand, left_out

PICTURE, _ = render(3, 48, 64)
# 16x16 pixels of one green, written once with pillow-heif, as pi-heif only reads
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAADYAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNs"
    "eAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAAEAAAAAEAAAAQAAAAAf///9AAAAAC////0AAAAAIAAAAQcGl4"
    "aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAPm1kYXQAAAAyKAGvBjIWZzSJIPC79f//95T///s1CLNbJ64R+mPH"
    "5LeQkZ70X3sYUuU8dCD0nFO5zYA="
)
GREEN = (10, 200, 30)
WRITTEN = [".jpg", ".jpeg", ".jfif", ".jpe", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".dib"]
WRITTEN += [".ppm", ".pgm", ".pnm", ".tga", ".jp2", ".j2k", ".jpx", ".qoi"]
WRITTEN += [".avif"] if features.check("avif") else []


def save(path, picture=PICTURE):
    path.parent.mkdir(parents=True, exist_ok=True)
    form = Image.registered_extensions()[path.suffix.lower()]
    Image.fromarray(picture).save(path, form)
    return path


def test_a_folder_takes_every_picture_that_can_be_read(zoo, tmp_path):
    Image.init()
    for suffix in WRITTEN:
        save(tmp_path / "in" / f"a{suffix[1:]}{suffix}")
    save(tmp_path / "in" / "LOUD.JPG")
    (tmp_path / "in" / "phone.heic").write_bytes(HEIC)
    code, out, err = zoo("predict", "in", "-o", "out", "--json")
    assert code == 0, err
    rows = json.loads(out)
    assert {row["status"] for row in rows} == {"ok"}
    assert len(rows) == len(WRITTEN) + 2 == len(list((tmp_path / "out").iterdir()))
    assert not err


def test_heic_has_its_colours(tmp_path):
    (tmp_path / "a.heic").write_bytes(HEIC)
    pixels = image.read(tmp_path / "a.heic")
    assert pixels.shape == (16, 16, 3)
    assert np.abs(pixels.astype(int) - GREEN).max() <= 8


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder with pictures, other files, folders in it, and links that lead round in circles."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/b/c.png", "in/b/d/e.PNG", "in/out/f.png"):
        save(tmp_path / name)
    for name in ("in/notes.txt", "in/b/film.mp4", "in/g.eps"):
        (tmp_path / name).touch()
    for number in range(3):
        (tmp_path / "in" / "b" / f"loop{number}").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in" / "empty").mkdir()
    return tmp_path


def test_what_a_folder_leaves_out_is_named(zoo, tree):
    code, out, err = zoo("predict", "in", "-o", "in/out", "--json")
    assert code == 0, err
    reasons = {
        "in/b": "a folder, pictures in it: 2; --recursive takes them",
        "in/g.eps": "not named like a picture",
        "in/notes.txt": "not named like a picture",
        "in/out": "where depths are written",
    }
    assert err.splitlines() == [f"left out: {path}: {reason}" for path, reason in reasons.items()]
    picture, *left = json.loads(out)
    assert (picture["source"], picture["status"]) == ("in/a.png", "ok")
    assert {row["source"]: row["status"] for row in left} == {path: f"left out: {reasons[path]}" for path in reasons}


def test_folders_in_folders(zoo, tree):
    code, out, err = zoo("predict", "in", "--recursive", "-o", "in/out", "--engine", "process", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["pictures"], told["written"]) == (3, 3)
    assert "left out: in/b/film.mp4: not named like a picture" in err
    assert {row["source"] for row in told["left_out"]} == {
        str(each.path) for each in left_out(["in"], True, Path("in", "out"))
    }
    assert (tree / "in" / "out" / "b" / "d" / "e.PNG.depth.png").exists()
    again = json.loads(zoo("predict", "in", "--recursive", "-o", "in/out", "--engine", "process", "--json")[1])
    assert (again["pictures"], again["kept"]) == (3, 3)  # depths are no pictures to look at


def test_a_folder_without_pictures_says_what_it_holds(zoo, tree):
    (tree / "in" / "a.png").unlink()
    said = complaint(zoo("predict", "in", "-o", "in/out"))
    assert "in: no pictures in this folder, but b (a folder, pictures in it: 2; --recursive takes them), g.eps" in said
    assert said.endswith(", 1 more")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tree):
    (tree / "in" / "b").chmod(0)
    assert "Permission denied" in [each.reason for each in left_out(["in"], True)]


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_bytes("\N{BYTE ORDER MARK}a.png\r\nnach \xfcben.png\r\n".encode())
    assert [str(path) for path in expand(["list.txt"])] == ["a.png", "nach \xfcben.png"]
    (tmp_path / "list.txt").write_bytes("\N{BYTE ORDER MARK}".encode())
    with pytest.raises(ZooError, match=r"list\.txt: an empty list"):
        expand(["list.txt"])


def test_a_glob_ends_where_links_loop_and_leaves_out_what_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("in/a", "in/a/b", "in/out", "in/.hidden"):
        (tmp_path / place).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / place / "x.png")
    (tmp_path / "in" / "a" / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    assert [str(p) for p in expand(["in/**/*.png"], out=Path("in/out"))] == ["in/a/b/x.png", "in/a/x.png"]
    assert [str(p) for p in expand([f"{tmp_path}/in/*/*.png"], out=Path("in"))] == [
        str(tmp_path / "in" / name / "x.png") for name in ("a", "out")
    ]
    assert [str(p) for p in expand(["in/.h*/*.png"])] == ["in/.hidden/x.png"]


@pytest.mark.parametrize("name", ["a" * 300 + ".jpg", "a" * 300 + "/x.jpg", "a" * 300 + "*.jpg"])
def test_a_name_that_no_system_has_is_an_error_of_ours(name):
    with pytest.raises(ZooError, match="File name too long"):
        expand([name])
