"""What zoo compile makes: the same depth as eager, from a library that needs nothing."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import ROOT, seeded
from zoo.inference.predictor import Runner
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


def example(artifact, scratch):
    """The C program of the examples, linked to an artifact, and the environment it runs in."""
    compiler = [sys.executable, "-m", "ziglang", "cc", "-O1", ROOT / "examples" / "depth.c"]
    command = [*compiler, f"-I{artifact}", f"-L{artifact}", "-lfastdepth", "-o", scratch / "depth"]
    subprocess.run([str(word) for word in command], check=True)
    return scratch / "depth", os.environ | {"LD_LIBRARY_PATH": str(artifact)}


def grey_centre(artifact, scratch):
    """What that program says."""
    program, environment = example(artifact, scratch)
    words = [program, artifact / "parameters.bin"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    return float(done.stdout.split("is ")[1].split()[0])


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
            assert (compiled.height, compiled.width) == sides
    expected = eager(network, np.full((3, *sides), 0.5, np.float32))[sides[0] // 2, sides[1] // 2]
    assert grey_centre(tmp_path / "a", tmp_path) == pytest.approx(float(expected), abs=1e-3)


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
    plan = rewrite(trace(Study(9).eval(), 24, 40), host().simd_lanes)
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
    other = next(r for r in records() if not r.runs_here and r.kind == host().kind and r.arch != host().arch)
    build(trace(pruned, 32, 32), other, tmp_path / "a", {"name": "x", "status": "preview"})
    header = subprocess.run(
        ["readelf", "-h", tmp_path / "a" / "libfastdepth.so"], capture_output=True, text=True, check=True
    )
    assert other.arch.lower() in header.stdout.lower().replace("x86-64", "x86_64")
    with pytest.raises(ArtifactError, match=rf"compiled for {other.name} \({other.arch}\), this machine is"):
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


def test_threads_that_share_one_artifact_each_get_their_own_depth(artifact):
    images = np.random.default_rng(6).random((4, 3, 224, 224), np.float32)
    with FastDepth(artifact, 2) as compiled, ThreadPoolExecutor(4) as pool:
        expected = [compiled(image) for image in images]
        order = [*range(4)] * 20
        for i, depth in zip(order, pool.map(lambda i: compiled(images[i]), order), strict=True):
            assert np.array_equal(depth, expected[i])


def test_closed_while_others_use_it_is_an_error_for_them(artifact, photo):
    def use_until_closed():
        try:
            while True:
                compiled(photo)
        except ArtifactError as error:
            return str(error)

    compiled = FastDepth(artifact, 2)
    with ThreadPoolExecutor(4) as pool:
        users = [pool.submit(use_until_closed) for _ in range(4)]
        compiled(photo)
        compiled.close()
        for user in users:
            assert "no such network is open" in user.result(timeout=60)
    compiled.close()
    with pytest.raises(ArtifactError, match="no such network is open"):
        compiled(photo)


def test_the_child_of_a_fork_gets_an_error_and_can_open_its_own(artifact):
    program = (
        "import os, signal, sys; sys.path.insert(0, '.')\n"
        "import numpy\n"
        "from fastdepth import ArtifactError, FastDepth\n"
        "image = numpy.ones((3, 224, 224), numpy.float32)\n"
        "mine = FastDepth('.', 2); expected = mine(image)\n"
        "if os.fork():\n"
        "    sys.exit(os.wait()[1] or not numpy.array_equal(mine(image), expected))\n"
        "signal.alarm(60)\n"
        "try: mine(image)\n"
        "except ArtifactError as error: assert 'before this process was forked' in str(error), error\n"
        "else: assert False, 'no error'\n"
        "mine.close()\n"
        "assert numpy.array_equal(FastDepth('.', 2)(image), expected)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", program], cwd=artifact, check=True, timeout=120)


@pytest.mark.parametrize("destroyed", [True, False])
def test_a_library_that_was_closed_does_no_harm_at_a_fork(artifact, destroyed):
    program = (
        "import _ctypes, ctypes, os, sys\n"
        "library = ctypes.CDLL('./libfastdepth.so')\n"
        "library.fastdepth_create.restype = ctypes.c_void_p\n"
        "network = ctypes.c_void_p(library.fastdepth_create(b'parameters.bin', 2))\n"
        f"assert network and not ({destroyed} and library.fastdepth_destroy(network))\n"
        "_ctypes.dlclose(library._handle)\n"
        "sys.exit(os.wait()[1] if os.fork() else 0)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", program], cwd=artifact, check=True, timeout=60)


@pytest.mark.parametrize("threads", [0, -1, 1025, 2**31, -(2**31) - 1, 2**32 + 1, 10**30])
def test_a_number_of_threads_that_cannot_be_is_named(artifact, threads):
    with pytest.raises(ArtifactError, match=f"^{threads} threads; at least 1, at most 1024$"):
        FastDepth(artifact, threads)


def test_every_step_can_be_looked_at(artifact, pruned, photo):
    plan = rewrite(trace(pruned, 224, 224), host().simd_lanes)
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
    plan = rewrite(trace(pruned, 224, 224), host().simd_lanes)
    report = verify(artifact, plan, Runner(pruned))
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
    edit(copy, arch="riscv64", device="some-board")
    with pytest.raises(ArtifactError, match=r"compiled for some-board \(riscv64\), this machine is"):
        FastDepth(copy)


def test_an_older_c_library_is_refused_with_both_sides_named(copy, monkeypatch):
    zig_target = json.loads((copy / "manifest.json").read_text())["zig_target"]
    needed = zig_target.partition("gnu.")[2]
    major, minor = map(int, needed.split("."))
    for enough in ("2.36", needed):
        monkeypatch.setattr(os, "confstr", lambda _, found=enough: f"glibc {found}")
        FastDepth(copy).close()
    older = f"{major}.{minor - 1}"
    for answer, said in ((f"glibc {older}", f"glibc {older}"), ("", "another C library")):
        monkeypatch.setattr(os, "confstr", lambda _, answer=answer: answer)
        with pytest.raises(ArtifactError, match=f"with glibc {needed} or newer, this system has {said}$"):
            FastDepth(copy)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("input", lambda _: [3, 32, 32]),
        ("input", lambda _: [3, 192, 256]),
        ("input", lambda _: [3, 2048, 2048]),
        ("input", lambda _: [3, 224.0, 224.0]),
        ("input", lambda _: [3, float("inf"), 224]),
        ("output", lambda _: [32, 32]),
        ("dtype", lambda _: "f16"),
        ("simd_lanes", lambda lanes: lanes * 64),
        ("device", lambda _: "rpi4"),
        ("zig_target", lambda _: "x86_64-linux-gnu.2.1"),
        ("macs", lambda macs: macs * 1000),
        ("macs", lambda _: None),
        ("model", lambda model: model | {"name": "fastdepth"}),
        ("model", lambda model: model | {"status": "released"}),
        ("model", lambda _: []),
        ("steps", lambda steps: steps[1:]),
        ("steps", lambda steps: [steps[0] | {"height": 4096}, *steps[1:]]),
        ("steps", lambda steps: [steps[0] | {"channels": 10**6}, *steps[1:]]),
        ("steps", lambda steps: [steps[0] | {"workload": "pool3s2-f32-c16-12x20"}, *steps[1:]]),
        ("steps", lambda steps: [None, *steps[1:]]),
    ],
)
def test_a_manifest_that_says_what_the_library_does_not_is_refused(copy, name, change):
    edit(copy, **{name: change(json.loads((copy / "manifest.json").read_text())[name])})
    with pytest.raises(ArtifactError, match=rf"manifest\.json: {name} is not what the library says; compile again$"):
        FastDepth(copy)


@pytest.mark.parametrize("name", ["dtype", "simd_lanes", "macs", "model", "steps", "input", "output"])
def test_a_manifest_that_lacks_what_the_library_says_is_refused(copy, name):
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest[name]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=rf"manifest\.json: {name} is not what the library says"):
        FastDepth(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"device": None},
        {"device": "a\nb", "arch": "riscv64"},
        {"arch": 7},
        {"zig_target": []},
        {"zig_target": "x86_64-linux-gnu.\u00b2.\u00b2"},
        {"files": []},
        {"files": {"libfastdepth.so": {"size": 1, "sha256": ""}}},
    ],
)
def test_a_field_that_cannot_be_is_a_damaged_manifest(copy, changes):
    edit(copy, **changes)
    with pytest.raises(ArtifactError, match=r"manifest\.json: damaged manifest \(.+\)$"):
        FastDepth(copy)


@pytest.mark.parametrize("name", ["../parameters.bin", "/etc/passwd", "a\0b", "\ud800", "a\nb"])
def test_files_of_a_manifest_lie_beside_it(copy, name):
    files = json.loads((copy / "manifest.json").read_text())["files"]
    edit(copy, files=files | {name: {"size": 1, "sha256": ""}})
    with pytest.raises(ArtifactError, match=r"manifest\.json: damaged manifest \(file '.+'\)$"):
        FastDepth(copy)


def promise(folder, name, content):
    """A file replaced, with a manifest that agrees."""
    (folder / name).write_bytes(content)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    edit(folder, files=files | {name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}})


@pytest.mark.parametrize("share", [0, 0.001, 0.02, 0.5, 0.99, 0.999])
def test_a_library_that_was_cut_is_never_loaded(copy, share):
    content = (copy / "libfastdepth.so").read_bytes()
    part = content[: int(len(content) * share)]
    (copy / "libfastdepth.so").write_bytes(part)
    with pytest.raises(ArtifactError, match=r"libfastdepth\.so: differs from what the manifest promises"):
        FastDepth(copy)
    promise(copy, "libfastdepth.so", part)
    with pytest.raises(ArtifactError, match=r"libfastdepth\.so: not a whole library; compile again$"):
        FastDepth(copy)


def test_the_program_needs_no_library_that_could_be_cut(copy):
    (copy / "libfastdepth.so").write_bytes((copy / "libfastdepth.so").read_bytes()[:100_000])
    (copy / "photo.ppm").write_bytes(b"P6 2 1 255\nabcdef")
    subprocess.run([copy / "fastdepth", copy / "photo.ppm"], check=True, timeout=60)


@pytest.mark.parametrize("name", ["manifest.json", "libfastdepth.so", "parameters.bin"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_not_a_file_is_refused_at_once(copy, name, kind):
    path = copy / name
    path.unlink()
    {"pipe": os.mkfifo, "device": lambda p: p.symlink_to("/dev/zero"), "folder": os.mkdir}[kind](path)
    wrong = "not a regular file" if kind != "folder" else "Is a directory"
    with pytest.raises(ArtifactError, match=rf"{re.escape(name)}: .*{wrong}"):
        FastDepth(copy)
    if name == "parameters.bin":
        (copy / "photo.ppm").write_bytes(b"P6 2 1 255\nabcdef")
        words = [copy / "fastdepth", copy / "photo.ppm"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "parameters.bin: not a regular file" in done.stderr


def test_a_library_from_before_it_named_its_sides_is_refused(copy, tmp_path):
    (tmp_path / "old.c").write_text("void *fastdepth_create(const char *path, int threads) { return 0; }")
    command = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-o", tmp_path / "old.so", tmp_path / "old.c"]
    subprocess.run([str(word) for word in command], check=True)
    promise(copy, "libfastdepth.so", (tmp_path / "old.so").read_bytes())
    with pytest.raises(ArtifactError, match=r"copy: its library is older than .+fastdepth\.py; compile again, or use"):
        FastDepth(copy)


@pytest.mark.parametrize("content", ["", "null", "{}", "[1]", '{"format": "fastdepth-artifact/2"}', "\x00\x01"])
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
    broken = Device(**{**host().__dict__, "zig_target": "no-such-target"})
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
    with FastDepth(artifact) as compiled:
        expected = compiled(np.full((3, 224, 224), 0.5, np.float32))[112, 112]
    assert grey_centre(artifact, tmp_path) == pytest.approx(float(expected), abs=1e-3)
    program, environment = example(artifact, tmp_path)
    broken = subprocess.run([program, "nowhere.bin"], capture_output=True, text=True, env=environment, check=False)
    assert broken.returncode == 1
    assert "nowhere.bin: cannot be opened" in broken.stderr


def test_unknown_devices_are_refused_with_the_known_ones():
    with pytest.raises(KernelError, match="unknown device 'tx3'; known: host, x86-64-v4"):
        device("tx3")
