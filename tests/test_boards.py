"""Artifacts for boards, run where there is no board: an emulator proves the numbers, never the speed."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import ROOT, seeded
from zoo import image
from zoo.kernels.artifact.build import build
from zoo.kernels.device import device, host, records
from zoo.kernels.ir.trace import trace
from zoo.kernels.targets.cpu.emulate import read_pfm

QEMU = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]
FACTS = {"name": "fastdepth_pruned", "weights_sha256": "", "status": "released"}
NEWEST = (2, 27)  # JetPack 4 is Ubuntu 18.04


def run(folder, *words, emulated=True):
    command = [*QEMU, str(folder / "fastdepth")] if emulated else [str(folder / "fastdepth")]
    return subprocess.run([*command, *map(str, words)], capture_output=True, text=True)


@pytest.fixture(scope="session")
def emulator():
    if not shutil.which(QEMU[0]):
        pytest.skip("qemu-aarch64-static is not installed (Debian: qemu-user-static libc6-arm64-cross)")


@pytest.fixture(scope="module", params=["fastdepth_pruned", "fastdepth"])
def board(request, tmp_path_factory, emulator):
    """(network, artifact for the TX2's cores)"""
    network = seeded(request.param)
    folder = tmp_path_factory.mktemp("board") / "tx2"
    build(trace(network, 224, 224), device("tx2-cpu"), folder, FACTS | {"name": request.param})
    return network, folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A picture of the network's own size, so that nothing is resampled; and as the network's input."""
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    path = tmp_path_factory.mktemp("photo") / "photo.ppm"
    Image.fromarray(pixels).save(path)
    return path, torch.from_numpy(image.whole(pixels))[None]


@pytest.mark.parametrize("threads", [1, 4])
def test_the_board_s_program_gives_the_eager_depth(board, photo, tmp_path, threads):
    network, folder = board
    path, seen = photo
    done = run(folder, path, "-o", tmp_path / "depth.pfm", "--threads", threads)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        expected = network(seen)[0, 0].numpy()
    assert np.abs(read_pfm(tmp_path / "depth.pfm") - expected).max() < 1e-4
    assert f"{threads} thread" in done.stdout


def test_the_library_asks_for_no_newer_c_library_and_nothing_else(board):
    _, folder = board
    for name in ("libfastdepth.so", "fastdepth"):
        table = subprocess.run(["readelf", "-W", "-V", "-d", folder / name], capture_output=True, text=True).stdout
        versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([\d.]+)", table)}
        assert versions
        assert max(versions)[:2] <= NEWEST
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", table))
        assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-aarch64.so.1", "libfastdepth.so"}


def test_the_whole_artifact_is_small(board):
    _, folder = board
    if (folder / "parameters.bin").stat().st_size < 6_000_000:
        assert sum(path.stat().st_size for path in folder.iterdir()) < 6_500_000


def test_pictures_of_any_size_are_seen_as_zoo_predict_sees_them(artifact, pruned, tmp_path):
    """On this machine: the program's own resampling against Pillow's."""
    folder = artifact
    with Image.open(ROOT / "examples" / "room.jpg") as file:
        picture = file.convert("RGB")
    for size in ((640, 480), (101, 333), (150, 100)):
        pixels = np.asarray(picture.resize(size))
        Image.fromarray(pixels).save(tmp_path / "photo.ppm")
        done = run(folder, tmp_path / "photo.ppm", "-o", tmp_path / "depth.pfm", emulated=False)
        assert done.returncode == 0, done.stderr
        with torch.no_grad():
            expected = pruned(torch.from_numpy(image.whole(pixels))[None])[0, 0].numpy()
        assert np.median(np.abs(read_pfm(tmp_path / "depth.pfm") - expected)) < 0.01 * np.median(expected)
        run(folder, tmp_path / "photo.ppm", "-o", tmp_path / "depth.pgm", emulated=False)
        with Image.open(tmp_path / "depth.pgm") as made:
            assert np.abs(np.asarray(made) / 1000 - read_pfm(tmp_path / "depth.pfm")).max() < 0.0006


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (None, [], "cannot be opened"),
        (b"hello", [], "not a binary PPM"),
        (b"P6 224 224 255\nshort", [], "ends too early"),
        (b"P6 99999999999 1 255\n", [], "not a binary PPM"),
        (b"P6 0 5 255\n", [], "not a binary PPM"),
        (b"P6 1 1 65535\n......", [], "not a binary PPM"),
        (b"P6 1 1 255\n...", ["--repeat", "0"], "usage"),
        (b"P6 1 1 255\n...", ["--repeat", "9" * 30], "usage"),
        (b"P6 1 1 255\n...", ["--threads", "-1"], "usage"),
        (b"P6 1 1 255\n...", ["--threads", "4294967297"], "usage"),
        (b"P6 1 1 255\n...", ["--threads", "2x"], "usage"),
        (b"P6 1 1 255\n...", ["--threads", ""], "usage"),
        (b"P6 1 1 255\n...", ["--threads"], "not understood"),
        (b"P6 1 1 255\n...", ["-o", "/nowhere/depth.pgm"], "cannot be written"),
    ],
)
def test_what_is_wrong_is_one_line(artifact, tmp_path, content, words, message):
    if content is not None:
        (tmp_path / "photo.ppm").write_bytes(content)
    done = run(artifact, tmp_path / "photo.ppm", *words, emulated=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_comments_and_blanks_in_a_header_are_read_past(artifact, tmp_path):
    (tmp_path / "photo.ppm").write_bytes(b"P6\n# made by hand\n2 1 # so wide\n255\n" + b"abcdef")
    assert run(artifact, tmp_path / "photo.ppm", emulated=False).returncode == 0


def test_a_board_is_never_taken_for_the_host(monkeypatch):
    from zoo.kernels import processor

    monkeypatch.setattr(processor, "arch", lambda: "aarch64")
    monkeypatch.setattr(processor, "features", lambda: frozenset(("asimd", "asimdhp", "asimddp")))
    assert host().name == "aarch64"


@pytest.mark.slow
@pytest.mark.parametrize("record", [r for r in records() if r.board and r.kind == "cpu"], ids=lambda r: r.name)
def test_every_board_compiles_and_gives_the_eager_depth(record, pruned, photo, tmp_path, emulator):
    build(trace(pruned, 224, 224), record, tmp_path / "made", FACTS)
    path, seen = photo
    done = run(tmp_path / "made", path, "-o", tmp_path / "depth.pfm")
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        assert np.abs(read_pfm(tmp_path / "depth.pfm") - pruned(seen)[0, 0].numpy()).max() < 1e-4
