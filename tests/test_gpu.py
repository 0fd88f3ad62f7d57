"""Kernels for graphics processors where there is none: their threads one after another, their PTX through the assembler,
the artifact's own C runtime over a driver that is made up."""

import ctypes
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_kernels import ACTIVATION, CHANNELS, SIDE, TAIL, agree, blocked, planar

from conftest import ROOT, seeded
from zoo.kernels.artifact.build import build
from zoo.kernels.artifact.lower import lower
from zoo.kernels.device import device, records
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.program import symbol
from zoo.kernels.ir.rewrite import rewrite
from zoo.kernels.ir.trace import trace
from zoo.kernels.ir.workload import Workload
from zoo.kernels.layout import pack, pack_bias
from zoo.kernels.runtime.fastdepth import FastDepth
from zoo.kernels.selection import tuned
from zoo.kernels.targets import target_of
from zoo.kernels.targets.cuda import check as simulate
from zoo.kernels.targets.cuda import ptx
from zoo.kernels.targets.cuda import space as gpu_knobs

GPUS = [record for record in records() if record.kind == "cuda"]
TX2 = device("tx2")
OLDEST_DRIVER = {"tx2": (6, 5), "nano": (6, 5), "xavier": (6, 5)}  # PTX that CUDA 10.2 takes, which is JetPack 4
FACTS = {"name": "fastdepth_pruned", "weights_sha256": "", "status": "released"}


def settle(w, data):
    """One legal setting out of a thin, even choice of them all, a thread's results side by side or apart."""
    settings = [*target_of(TX2).space(w)]
    if data is None:
        return settings[0]
    knobs = data.draw(st.sampled_from(settings[:: max(1, len(settings) // 64)]))
    if w.kind == "head":
        return knobs
    sides = [knobs[name.removeprefix("v")] for name in gpu_knobs.VTHREADS]
    apart = [data.draw(st.sampled_from(gpu_knobs.divisors(side, side))) for side in sides]
    return knobs | dict(zip(gpu_knobs.VTHREADS, apart, strict=True))


def one_by_one(w, device, knobs, x, k, b, skip):
    """Run one kernel, its threads in turn: planar in, planar out."""
    operands = [x if w.kind == "stem" else blocked(x, 1), pack(w, k, 1), pack_bias(w, b, 1)]
    operands += [] if skip is None else [blocked(skip, 1)]
    result = np.full((1, *w.out_sides) if w.kind == "head" else (w.cout, *w.out_sides, 1), np.nan, np.float32)
    simulate.compiled(w, device, knobs)(*operands, result)
    return planar(result, w.cout)


@settings(max_examples=10, deadline=None)
@example(3, 1, 7, 17, 3, (), (), None)  # too few divisors for a warp
@given(st.sampled_from([3, 5]), st.sampled_from([1, 2]), CHANNELS, SIDE, SIDE, ACTIVATION, TAIL, st.data())
def test_depthwise(kernel_size, stride, channels, height, width, activation, tail, data):
    w = Workload("depthwise", kernel_size, stride, channels, channels, height, width, activation + tail)
    agree(w, TX2, settle(w, data), run=one_by_one)


@settings(max_examples=6, deadline=None)
@given(st.sampled_from([3, 5]), CHANNELS, SIDE, SIDE, st.booleans(), st.data())
def test_depthwise_of_a_doubled_input(kernel_size, channels, height, width, added, data):
    prologue = ("double", "add") if added else ("double",)
    w = Workload("depthwise", kernel_size, 1, channels, channels, 2 * height, 2 * width, ("relu",), prologue)
    agree(w, TX2, settle(w, data), run=one_by_one)


@settings(max_examples=10, deadline=None)
@given(CHANNELS, CHANNELS, SIDE, SIDE, ACTIVATION, TAIL, st.data())
def test_pointwise(cin, cout, height, width, activation, tail, data):
    w = Workload("pointwise", 1, 1, cin, cout, height, width, activation + tail)
    agree(w, TX2, settle(w, data), run=one_by_one)


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(["stem", "conv"]), st.sampled_from([1, 2]), CHANNELS, SIDE, SIDE, ACTIVATION, st.data())
def test_dense(kind, stride, cout, height, width, activation, data):
    w = Workload(kind, 3, stride, 3, cout, height, width, activation)
    agree(w, TX2, settle(w, data), run=one_by_one)


@settings(max_examples=5, deadline=None)
@given(CHANNELS, SIDE, SIDE, st.sampled_from([("relu",), ("relu", "double")]), st.data())
def test_head(cin, height, width, epilogue, data):
    w = Workload("head", 1, 1, cin, 1, height, width, epilogue)
    agree(w, TX2, settle(w, data), run=one_by_one)


@pytest.fixture(scope="module")
def pruned_plan(pruned):
    return rewrite(trace(pruned, 224, 224), 1)


@pytest.mark.parametrize("record", GPUS, ids=lambda d: d.name)
def test_defaults_are_legal_and_launches_within_limits(record, pruned_plan):
    for w in pruned_plan.workloads:
        knobs = target_of(record).default(w)
        target_of(record).check(w, knobs)
        assert knobs.get("threads_oc", 1) * knobs["threads_h"] * knobs["threads_w"] <= record.gpu.threads
        assert gpu_knobs.shared(w, knobs) <= record.gpu.shared


def test_what_is_not_legal_is_refused_with_the_reason():
    w = Workload("pointwise", 1, 1, 16, 24, 14, 14)
    with pytest.raises(KernelError, match="this schedule has"):
        target_of(TX2).check(w, {"thread_h": 1})
    knobs = target_of(TX2).default(w)
    for wrong, reason in (
        ({"threads_h": 3}, "14 rows are not tiles of"),
        (
            {"threads_oc": 24, "thread_oc": 1, "threads_h": 14, "threads_w": 14, "thread_h": 1, "thread_w": 1},
            "4704 threads in a block",
        ),
        ({"thread_oc": 24, "threads_oc": 1, "thread_h": 14, "threads_h": 1}, "too many for 32768 registers"),
        ({"tile_ic": 0}, "input channels to sum over are not"),
        ({"vthread_h": 5}, r"thread_h \d+ does not fall into vthread_h 5 equal groups"),
    ):
        with pytest.raises(KernelError, match=reason):
            target_of(TX2).check(w, knobs | wrong)
    big = Workload("conv", 5, 1, 1024, 1024, 56, 56)
    with pytest.raises(KernelError, match="bytes of shared memory, at most 49152"):
        target_of(TX2).check(big, target_of(TX2).default(big) | {"tile_ic": 1024})


@pytest.mark.parametrize("record", GPUS, ids=lambda d: d.name)
def test_every_setting_worth_trying_is_legal(record):
    for name in (
        "pointwise1s1-f32-c24-k40-14x14",
        "depthwise5s1-f32-c24-28x28",
        "head1s1-f32-c16-k1-28x28+relu+double",
    ):
        w = Workload.parse(name)
        found = [*target_of(record).space(w)]
        assert found
        assert not any(gpu_knobs.illegal(w, record, knobs) for knobs in found)


def test_the_tilings_that_won_on_a_tx2_are_used(pruned_plan):
    program = lower(pruned_plan, TX2, tuned(TX2))
    sources = [program.provenance[step.workload] for step in pruned_plan.steps]
    assert sources.count("imported") >= 30
    assert set(sources) <= {"imported", "default"}


@pytest.mark.parametrize("record", GPUS, ids=lambda d: d.name)
def test_the_assembler_takes_every_kernel_and_spills_nothing(record, pruned_plan):
    program = lower(pruned_plan, record, tuned(record))
    workloads = [w for w in pruned_plan.workloads if w.height in (7, 112, 224)]  # the largest tiles and the smallest
    kernels = [ptx.kernel(w, record, program.knobs[w], symbol(w)) for w in workloads]
    text = ptx.together(kernels, record)
    version = tuple(map(int, re.search(r"\.version (\d+)\.(\d+)", text).groups()))
    assert version <= OLDEST_DRIVER.get(record.name, (99, 0))
    assert f".target {record.gpu.arch}" in text
    assert ".extern" not in text
    assert len(re.findall(r"\.visible \.entry ", text)) == len(kernels)
    used = ptx.assemble(text, record.gpu.arch)
    if used is None:
        pytest.skip("no ptxas that knows this GPU (PyPI: nvidia-cuda-nvcc-cu12==12.9.86)")
    assert set(used) == {kernel.symbol for kernel in kernels}
    assert not any(usage.spilled_bytes for usage in used.values())
    assert all(usage.shared_bytes <= record.gpu.shared for usage in used.values())
    for kernel in kernels:
        threads = np.prod(kernel.threads)
        assert used[kernel.symbol].registers * threads <= record.gpu.registers


@pytest.mark.parametrize("name", ["fastdepth_pruned", pytest.param("fastdepth", marks=pytest.mark.slow)])
def test_the_whole_network_thread_by_thread_gives_the_eager_depth(name):
    network = seeded(name)
    program = lower(rewrite(trace(network, 32, 64), TX2.simd_lanes), TX2, {})
    image = np.random.default_rng(0).random((3, 32, 64), np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(image)[None])[0, 0].numpy()
    assert np.abs(simulate.run(program, image) - expected).max() < 1e-4


LAUNCHED = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_void_p))


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A made-up libcuda.so.1, loaded where the artifact will look for it."""
    path = tmp_path_factory.mktemp("driver") / "libcuda.so.1"
    command = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", path]
    subprocess.run([*map(str, command), str(ROOT / "tests" / "fake_cuda.c")], check=True)
    try:
        ctypes.CDLL("libcuda.so.1")
        pytest.skip("there is a real driver here")
    except OSError:
        return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


@pytest.fixture(scope="module")
def card(tmp_path_factory, driver):
    """(network, artifact for a PC's GPU, its program) at a small size."""
    network = seeded("fastdepth_pruned")
    folder = tmp_path_factory.mktemp("card") / "cuda"
    plan = trace(network, 32, 64)
    build(plan, device("cuda"), folder, FACTS)
    return network, folder, lower(rewrite(plan, 1), device("cuda"), {})


class Launches:
    """Stands in for the GPU: runs each kernel thread by thread on the very addresses it was given."""

    def __init__(self, program):
        self.calls, self.sizes = {}, []
        for call in program.calls:
            w = call.step.workload
            made = ptx.kernel(w, program.device, program.knobs[w], call.symbol)
            self.calls[made.symbol] = (call, made, simulate.compiled(w, program.device, program.knobs[w]))
        self.callback = LAUNCHED(self)

    def __call__(self, name, sizes, arguments):
        call, kernel, function = self.calls[name.decode()]
        self.sizes.append((tuple(sizes[:3]), tuple(sizes[3:6])) == (kernel.blocks, kernel.threads))
        names = [n for n in ptx.NAMES if n != "skip" or call.step.skip]
        shapes = {n: operand.shape for n, operand in zip(names, call.operands, strict=True)}
        arrays = {}
        for i, operand in enumerate(kernel.operands):
            address = ctypes.cast(arguments[i], ctypes.POINTER(ctypes.c_uint64))[0]
            values = (ctypes.c_float * int(np.prod(shapes[operand]))).from_address(address)
            arrays[operand] = np.ctypeslib.as_array(values).reshape(shapes[operand])
        function(*(arrays[n] for n in names))


def test_the_artifact_s_runtime_launches_what_was_compiled(card, driver):
    network, folder, program = card
    launches = Launches(program)
    driver.fake_set_up(5, 2, launches.callback)
    image = np.random.default_rng(1).random((3, 32, 64), np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(image)[None])[0, 0].numpy()
    with FastDepth(folder) as compiled:
        assert np.abs(compiled(image) - expected).max() < 1e-4
        assert len(launches.sizes) == len(program.calls)
        assert all(launches.sizes)
        depth, seen = compiled.observe(image)
        assert np.abs(seen[program.plan.output][0] - expected).max() < 1e-4
        assert np.array_equal(depth, seen[program.plan.output][0])
        with torch.no_grad():
            stages = network.stages(torch.from_numpy(image)[None])
        assert np.abs(seen["encoder.13.pointwise"] - stages["encoder.13"][0].numpy()).max() < 1e-4
        assert np.allclose(compiled.times(image, 1), 2e-3)
        given, made = np.ascontiguousarray(image), np.zeros((32, 64), np.float32)
        pointers = [ctypes.c_uint64(array.ctypes.data) for array in (given, made)]
        assert compiled._library.fastdepth_run_device(ctypes.c_void_p(compiled._handle), *pointers) == 0
        assert np.array_equal(made, depth)
    assert driver.fake_held() == 0  # everything was given back


def test_an_older_gpu_is_refused_with_both_sides_named(card, driver):
    _, folder, _ = card
    driver.fake_set_up(5, 0, LAUNCHED(lambda *_: None))
    with pytest.raises(Exception, match="compiled for GPUs from sm_52 on, this one is sm_50"):
        FastDepth(folder)
    assert driver.fake_held() == 0


def test_without_a_driver_one_line_says_so(card):
    _, folder, _ = card
    photo = folder.parent / "photo.ppm"
    photo.write_bytes(b"P6 2 1 255\nabcdef")
    done = subprocess.run([folder / "fastdepth", photo], capture_output=True, text=True)
    assert done.returncode == 2
    assert "libcuda.so.1: NVIDIA's driver cannot be opened here" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_kernel_with_more_registers_than_a_block_has_is_refused(tmp_path, pruned, monkeypatch):
    used = ptx.Usage(registers=255, shared_bytes=0, spilled_bytes=0)
    monkeypatch.setattr(ptx, "assemble", lambda text, arch: dict.fromkeys(re.findall(r"\.entry (\w+)", text), used))
    with pytest.raises(KernelError, match=r"fd_\w+: \d+ threads of 255 registers; a block has 32768"):
        build(trace(pruned, 32, 32), TX2, tmp_path / "tx2", FACTS)
    assert not (tmp_path / "tx2").exists()


def test_an_artifact_for_the_tx2_is_made_here_and_small(tmp_path, pruned):
    build(trace(pruned, 224, 224), TX2, tmp_path / "tx2", FACTS)
    manifest = json.loads((tmp_path / "tx2" / "manifest.json").read_text())
    assert manifest["gpu"]["arch"] == "sm_62"
    for step in manifest["steps"]:
        assert np.prod(step["threads"]) <= 1024
        if "registers" in step:  # where there is a ptxas
            assert step["registers"] * np.prod(step["threads"]) <= 32768
            assert (step["spilled_bytes"], step["shared_bytes"] <= 49152) == (0, True)
    assert sum(path.stat().st_size for path in (tmp_path / "tx2").iterdir()) < 6_500_000
    table = subprocess.run(
        ["readelf", "-W", "-V", "-d", tmp_path / "tx2" / "libfastdepth.so"], capture_output=True, text=True
    ).stdout
    assert max(tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([\d.]+)", table))[:2] <= (2, 27)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", table))
    assert needed <= {"libc.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-aarch64.so.1"}
