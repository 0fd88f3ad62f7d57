"""What is no regular file, wherever a file is read: refused at once, in a line, by every command."""

import os
import shutil
import socket
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import ROOT, small_frames
from zoo import files, image
from zoo.errors import ZooError
from zoo.kernels.errors import KernelError
from zoo.kernels.files import opened, read_bounded

SECONDS = 60  # after which a command that waits is killed; none of these takes a tenth of it
IRREGULAR = "not a regular file; devices, FIFOs and sockets are not read"


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)  # from within its folder, as a socket's path is short


KINDS = {
    "fifo": lambda path: os.mkfifo(path),
    "socket": unix_socket,
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/ptmx"),
}

COMMANDS = {  # every way in: a command, and the file of it that is none
    "predict a.jpg": "a.jpg",
    "predict folder -o out": "folder/a.jpg",
    "predict a.jpg --engine process -o out": "a.jpg",
    "predict a.mp4": "a.mp4",
    "predict list.txt": "list.txt",
    "predict room.jpg -m own": "own/model.safetensors",
    "predict room.jpg -m also": "also/config.json",
    "eval --dataset a.mat": "a.mat",
    "eval --dataset data": "data/a.h5",
    "eval --dataset frames": "frames/rgb/00000.png",
    "eval --dataset frames --protocol whole": "frames/depth/00000.png",
    "train --dataset frames --hold-out 1 --config recipe.toml -o x": "recipe.toml",
    "train --dataset frames --hold-out 1 --config short.toml -o run": "run/state.pt",
    "compile --device own.toml -o x": "own.toml",
    "log show log.jsonl": "log.jsonl",
    "log merge log.jsonl -o x.jsonl": "log.jsonl",
    "log merge none.jsonl -o log.jsonl": "log.jsonl",
    "log import autotvm.log --device host --host it -o x.jsonl": "autotvm.log",
    "import a.tflite -o x": "a.tflite",
    "import a.pth.tar -o x": "a.pth.tar",
    "import a.safetensors -o x": "a.safetensors",
}

SHORT = """phases = [{ side = 32, batch = 2, samples = 2 }]"""


@pytest.fixture
def folder(tmp_path):
    """What the commands need beside the file in question."""
    (tmp_path / "frames").mkdir()
    small_frames(tmp_path / "frames", 3)
    shutil.copy(ROOT / "examples" / "room.jpg", tmp_path / "room.jpg")
    shutil.copytree(ROOT / "zoo" / "checkpoints" / "fastdepth_pruned", tmp_path / "own")
    shutil.copytree(tmp_path / "own", tmp_path / "also")
    shutil.copy(ROOT / "kernels" / "devices" / "aarch64.toml", tmp_path / "own.toml")
    (tmp_path / "short.toml").write_text(SHORT)
    (tmp_path / "none.jsonl").touch()
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_whichever_kind_it_is(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    KINDS[kind](Path("a"))
    for read in (files.read_bounded, files.check, image.read, read_bounded, lambda path: opened(path, "ab+")):
        with pytest.raises((ZooError, KernelError), match=f"a: {IRREGULAR}"):
            read(Path("a"))


@pytest.mark.parametrize("words", COMMANDS)
def test_what_is_no_regular_file_is_named_at_once(commands, folder, words):
    path = folder / COMMANDS[words]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    code, _, err = commands.run(words.split(), folder, dict(os.environ), SECONDS)
    assert code in (0, 2), (code, err)  # 0 where other frames are left
    said = (f"{COMMANDS[words]}: {IRREGULAR}", f"{COMMANDS[words]}: is no file")  # the latter of what would be written
    assert any(words in line for line in err.splitlines() for words in said), err
    assert "Traceback" not in err


@pytest.mark.parametrize("how", ["link", "virtual", "external"])
def test_a_dataset_leads_to_no_other_file(zoo, tmp_path, how):
    """HDF5 would open a FIFO that a file names, and wait."""
    os.mkfifo(tmp_path / "fifo")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["depth"] = np.ones((48, 64))
        if how == "link":
            file["rgb"] = h5py.ExternalLink(str(tmp_path / "fifo"), "rgb")
        elif how == "virtual":
            layout = h5py.VirtualLayout((3, 48, 64), np.uint8)
            layout[:] = h5py.VirtualSource(str(tmp_path / "fifo"), "rgb", (3, 48, 64))
            file.create_virtual_dataset("rgb", layout)
        else:
            size = 3 * 48 * 64
            file.create_dataset("rgb", (3, 48, 64), np.uint8, external=[(str(tmp_path / "fifo"), 0, size)])
    code, _, err = zoo("eval", "--dataset", ".")
    assert code == 2
    assert "a.h5: not a file with rgb and depth" in err


def test_a_file_has_a_limit_and_so_has_one_that_does_not_say_its_size(tmp_path):
    (tmp_path / "a").write_bytes(bytes(11))
    assert files.read_bounded(tmp_path / "a", 11) == bytes(11)
    for path, most in ((tmp_path / "a", 10), ("/proc/cpuinfo", 20)):
        with pytest.raises(ZooError, match="which is the limit"):
            files.read_bounded(tmp_path / path, most)


def test_a_camera_is_a_device_of_video(monkeypatch):
    from zoo.inference import capture as video

    found = os.stat_result((0o20660, 0, 0, 1, 0, 44, 0, 0, 0, 0), {"st_rdev": os.makedev(81, 0)})
    monkeypatch.setattr(os, "stat", lambda path: found)
    assert video.is_video("/dev/video0")
    monkeypatch.undo()
    assert not video.is_camera("/dev/zero")
