"""What zoo compile makes: the same depth as eager, from a library that needs nothing."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import ROOT, seeded
from zoo.inference.predictor import runner
from zoo.kernels.artifact.build import build
from zoo.kernels.artifact.lower import lower
from zoo.kernels.artifact.verify import verify
from zoo.kernels.device import Device, device, host, records
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.reference import interpret
from zoo.kernels.ir.rewrite import rewrite
from zoo.kernels.ir.trace import trace
from zoo.kernels.runtime.fastdepth import ArtifactError, FastDepth
from zoo.model.encoders.resnet import basic
from zoo.model.layers import Block, ConvNormAct
from zoo.model.network import initialise
from zoo.model.upsample import nearest
from zoo.model.walk import Walk

TOLERANCE = 1e-4  # metres


def eager(network, image):
    with torch.inference_mode():
        return network(torch.from_numpy(image)[None])[0, 0].numpy()


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_the_compiled_depth_is_the_eager_one(artifact, pruned, photo, threads):
    with FastDepth(artifact, threads) as compiled:
        assert np.abs(compiled(photo) - eager(pruned, photo)).max() <= TOLERANCE


@pytest.mark.parametrize(("name", "sides"), [("fastdepth", (224, 224)), ("fastdepth_pruned", (64, 160))])
def test_other_networks_and_sizes(name, sides, tmp_path):
    network = seeded(name, 1)
    image = np.random.default_rng(2).random((3, *sides), np.float32)
    build(trace(network, *sides), host(), tmp_path / "a", {"name": name, "status": "preview"})
    for threads in (1, 2):
        with FastDepth(tmp_path / "a", threads) as compiled:
            assert np.abs(compiled(image) - eager(network, image)).max() <= TOLERANCE


class Study(torch.nn.Module):
    """What the study's networks have that FastDepth has not, a layer of each: a 7x7 stem, a pool, a residual block that
    strides, a concatenated skip read by a depthwise layer, and one read by a dense layer."""

    def __init__(self, width):
        super().__init__()
        self.stem, self.pool = ConvNormAct(3, 16, 7, stride=2), torch.nn.MaxPool2d(3, 2, 1)
        walk = Walk(6, 10)
        basic(walk, "block", walk.image._replace(channels=16), width, 2, project=True)
        self.block = Block(walk.layers, "block")
        self.project = torch.nn.Conv2d(width, width, 1)
        self.depthwise = ConvNormAct(16 + width, 16 + width, 5, groups=16 + width)
        self.dense = ConvNormAct(32 + width, 16, 3)
        self.head = ConvNormAct(16, 1, 1)

    def forward(self, image):
        wide = self.stem(image)
        small = self.pool(wide)
        x = self.depthwise(torch.cat([nearest(self.project(self.block(small))), small], 1))
        return self.head(nearest(self.dense(torch.cat([nearest(x), wide], 1))))


def test_residual_blocks_pools_and_concatenated_skips(tmp_path):
    network, image = Study(32).eval(), np.random.default_rng(5).random((3, 24, 40), np.float32)
    initialise(network, torch.Generator().manual_seed(0))
    build(trace(network, 24, 40), host(), tmp_path / "a", {"name": "x", "status": "random"})
    for threads in (1, 2):
        with FastDepth(tmp_path / "a", threads) as compiled:
            assert np.abs(compiled(image) - eager(network, image)).max() <= TOLERANCE


def test_channels_that_do_not_fill_their_vectors_cannot_stand_before_others():
    plan = rewrite(trace(Study(9).eval(), 24, 40), host().lanes)
    with pytest.raises(KernelError, match=r"project: 9 channels, after which more are concatenated; use a multiple of"):
        lower(plan, host(), {})


def test_a_graphics_processor_has_no_pool_yet():
    plan = rewrite(trace(Study(32).eval(), 24, 40), 1)
    with pytest.raises(KernelError, match=r"pool3s2-f32-c16-12x20 on tx2: there is no kernel for pooling"):
        lower(plan, device("tx2"), {})


@pytest.mark.parametrize("name", [r.name for r in records() if r.runs_here and r != host()])
def test_lesser_machines_of_the_same_kind(name, pruned, tmp_path):
    image = np.random.default_rng(3).random((3, 64, 64), np.float32)
    build(trace(pruned, 64, 64), device(name), tmp_path / "a", {"name": "x", "status": "preview"})
    with FastDepth(tmp_path / "a", 2) as compiled:
        assert np.abs(compiled(image) - eager(pruned, image)).max() <= TOLERANCE


def test_another_kind_of_machine_is_compiled_for_and_refused(pruned, tmp_path):
    other = next(r for r in records() if not r.runs_here and r.machine != host().machine)
    build(trace(pruned, 32, 32), other, tmp_path / "a", {"name": "x", "status": "preview"})
    header = subprocess.run(
        ["readelf", "-h", tmp_path / "a" / "libfastdepth.so"], capture_output=True, text=True, check=True
    )
    assert other.machine.lower() in header.stdout.lower().replace("x86-64", "x86_64")
    with pytest.raises(ArtifactError, match=rf"compiled for {other.name} \({other.machine}\), this machine is"):
        FastDepth(tmp_path / "a")


def test_the_same_image_gives_the_same_bits_whatever_the_threads(artifact, photo):
    with FastDepth(artifact, 1) as one, FastDepth(artifact, 3) as three:
        expected = one(photo)
        for _ in range(20):
            assert np.array_equal(three(photo), expected)
            assert np.array_equal(one(photo), expected)


def test_images_do_not_leak_into_each_other(artifact, pruned):
    images = np.random.default_rng(4).random((3, 3, 224, 224), np.float32)
    with FastDepth(artifact, 2) as compiled:
        for image in images:
            assert np.abs(compiled(image) - eager(pruned, image)).max() <= TOLERANCE


def test_every_step_can_be_looked_at(artifact, pruned, photo):
    plan = rewrite(trace(pruned, 224, 224), host().lanes)
    with FastDepth(artifact) as compiled:
        assert (compiled.times(photo, 2) > 0).all()
        depth, seen = compiled.observe(photo)
        assert np.array_equal(depth, compiled(photo))
    expected = interpret(plan, photo)
    for step in plan.steps:
        assert np.abs(seen[step.result] - expected[step.result]).max() <= TOLERANCE, step.name


def test_unaligned_and_foreign_arrays_are_taken(artifact, photo):
    with FastDepth(artifact) as compiled:
        expected = compiled(photo)
        shifted = np.empty(photo.size + 1, np.float32)[1:].reshape(photo.shape)
        shifted[:] = photo
        assert np.array_equal(compiled(shifted), expected)
        assert np.array_equal(compiled(np.asfortranarray(photo)), expected)
        with pytest.raises(ValueError, match=r"takes \(3, 224, 224\)"):
            compiled(photo[:, :32])


def test_verify_measures_and_names_the_first_step_that_parts(artifact, pruned):
    plan = rewrite(trace(pruned, 224, 224), host().lanes)
    report = verify(artifact, plan, runner(pruned))
    assert report.error <= TOLERANCE
    wrong = dict(plan.parameters)
    wrong["decoder.3.depthwise.bias"] = wrong["decoder.3.depthwise.bias"] + np.float32(0.5)
    other = replace(plan, parameters=wrong)
    with pytest.raises(KernelError, match=r"part at decoder\.3\.depthwise \(double\+add>depthwise5s1"):
        verify(artifact, other, lambda image: interpret(other, image)["head"][0])


@pytest.fixture
def copy(artifact, tmp_path):
    return shutil.copytree(artifact, tmp_path / "copy")


def edit(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def test_an_artifact_can_be_moved(copy, photo, artifact):
    with FastDepth(copy) as moved, FastDepth(artifact) as original:
        assert np.array_equal(moved(photo), original(photo))


def test_another_machine_is_refused_with_both_sides_named(copy):
    edit(copy, machine="riscv64", device="some-board")
    with pytest.raises(ArtifactError, match=r"compiled for some-board \(riscv64\), this machine is"):
        FastDepth(copy)


def test_an_older_c_library_is_refused_with_both_sides_named(copy, monkeypatch):
    linked_for = json.loads((copy / "manifest.json").read_text())["linked_for"]
    needed = linked_for.partition("gnu.")[2]
    major, minor = map(int, needed.split("."))
    for enough in ("2.36", needed):
        monkeypatch.setattr(os, "confstr", lambda _, found=enough: f"glibc {found}")
        FastDepth(copy).close()
    older = f"{major}.{minor - 1}"
    for answer, said in ((f"glibc {older}", f"glibc {older}"), ("", "another C library")):
        monkeypatch.setattr(os, "confstr", lambda _, answer=answer: answer)
        with pytest.raises(ArtifactError, match=f"with glibc {needed} or newer, this system has {said}$"):
            FastDepth(copy)


@pytest.mark.parametrize("content", ["", "null", "{}", "[1]", '{"format": "fastdepth-artifact/1"}', "\x00\x01"])
def test_a_broken_manifest_is_named(copy, content):
    (copy / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"manifest\.json: damaged manifest"):
        FastDepth(copy)


def test_another_format_is_named(copy):
    edit(copy, format="fastdepth-artifact/99")
    with pytest.raises(ArtifactError, match="format 'fastdepth-artifact/99'; this runtime reads"):
        FastDepth(copy)


@pytest.mark.parametrize("name", ["libfastdepth.so", "parameters.bin"])
def test_a_changed_file_is_never_loaded(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match=f"{name}: differs from what the manifest promises"):
        FastDepth(copy)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="no such file; an artifact is a folder"):
        FastDepth(tmp_path / "none")


def test_foreign_folders_are_not_overwritten(tmp_path, pruned):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(KernelError, match="exists and is not an artifact"):
        build(trace(pruned, 32, 32), host(), tmp_path / "mine", {"name": "x", "status": "preview"})
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_failed_build_leaves_nothing(tmp_path, pruned):
    broken = Device(**{**host().__dict__, "linker": "no-such-target"})
    with pytest.raises(KernelError, match="linking for"):
        build(trace(pruned, 32, 32), broken, tmp_path / "a", {"name": "x", "status": "preview"})
    assert list(tmp_path.iterdir()) == []


def test_the_library_needs_the_c_library_and_nothing_else(artifact):
    read = subprocess.run(["readelf", "-dW", artifact / "libfastdepth.so"], capture_output=True, text=True, check=True)
    needed = {line.split("[")[1].rstrip("]") for line in read.stdout.splitlines() if "(NEEDED)" in line}
    assert needed <= {"libc.so.6", "libpthread.so.0", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
    symbols = subprocess.run(
        ["readelf", "-sW", artifact / "libfastdepth.so"], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in symbols.stdout.splitlines() if line.strip()[:1].isdigit()]
    undefined = {row[7] for row in rows if len(row) > 7 and row[6] == "UND"}
    defined = {row[7] for row in rows if len(row) > 7 and row[6] != "UND" and row[4] == "GLOBAL"}
    assert not [name for name in undefined if "TVM" in name or "tvm" in name]
    assert {name for name in defined if not name.startswith("fastdepth_")} == set()


def test_the_python_twin_stands_alone(artifact, photo, tmp_path):
    """On a board there is numpy and the folder; the twin in it is all that is imported."""
    np.save(tmp_path / "image.npy", photo)
    program = (
        "import sys, numpy; sys.path.insert(0, '.')\n"
        "from fastdepth import FastDepth\n"
        f"numpy.save({str(tmp_path / 'depth.npy')!r}, FastDepth('.')(numpy.load({str(tmp_path / 'image.npy')!r})))\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('zoo', 'torch', 'tvm')]\n"
    )
    subprocess.run([sys.executable, "-I", "-c", program], cwd=artifact, check=True)
    with FastDepth(artifact) as compiled:
        assert np.array_equal(np.load(tmp_path / "depth.npy"), compiled(photo))


def test_a_c_program_of_ten_lines(artifact, tmp_path):
    compiler = [sys.executable, "-m", "ziglang", "cc", "-O1"]
    source = ROOT / "examples" / "depth.c"
    command = [*compiler, source, f"-I{artifact}", f"-L{artifact}", "-lfastdepth", "-o", tmp_path / "depth"]
    subprocess.run([str(word) for word in command], check=True)
    environment = os.environ | {"LD_LIBRARY_PATH": str(artifact)}
    words = [tmp_path / "depth", artifact / "parameters.bin"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    with FastDepth(artifact) as compiled:
        expected = compiled(np.full((3, 224, 224), 0.5, np.float32))[112, 112]
    assert float(done.stdout.split("is ")[1].split()[0]) == pytest.approx(float(expected), abs=1e-3)
    broken = subprocess.run(
        [tmp_path / "depth", "nowhere.bin"], capture_output=True, text=True, env=environment, check=False
    )
    assert broken.returncode == 1
    assert "nowhere.bin: cannot be opened" in broken.stderr


def test_unknown_devices_are_refused_with_the_known_ones():
    with pytest.raises(KernelError, match="unknown device 'tx3'; known: host, x86-64-v4"):
        device("tx3")
