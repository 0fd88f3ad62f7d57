"""Every kernel against loops that say what a convolution is, at sizes around every tile, on every kind of processor."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.kernels.device import host, records
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.program import symbol
from zoo.kernels.ir.workload import NORMALIZE, Workload
from zoo.kernels.layout import pack, pack_bias
from zoo.kernels.targets import scheduled, target_of

DEVICES = [d for d in records() if d.runs_here and d.kind == "cpu"]
CHANNELS = st.sampled_from([1, 3, 7, 8, 9, 16, 17, 24, 40])
SIDE = st.integers(1, 17)
ACTIVATION = st.sampled_from([(), ("relu",), ("relu6",)])
TAIL = st.sampled_from([(), ("double",), ("add",), ("double", "add"), ("add", "relu")])


def by_loops(w, x, k, b, skip):
    """The workload's meaning, one output at a time, in doubles."""
    if "double" in w.prologue:
        x = x.repeat(2, 1).repeat(2, 2)
    if "normalize" in w.prologue:
        x = (x.astype(np.float64) - NORMALIZE[0]) / NORMALIZE[1]
    if "add" in w.prologue:
        x, skip = x + skip, None
    height, width = w.conv_sides
    y = np.zeros((w.cout, *w.out_sides))
    r, step = w.kernel_size // 2, 2 if "double" in w.epilogue else 1
    for o, h, v in itertools.product(range(w.cout), range(height), range(width)):
        total = float(b[o])
        for dh, dw in itertools.product(range(w.kernel_size), range(w.kernel_size)):
            row, column = h * w.stride + dh - r, v * w.stride + dw - r
            if 0 <= row < w.height and 0 <= column < w.width:
                seen = x[o : o + 1, row, column] if w.kind == "depthwise" else x[:, row, column]
                total += float(np.dot(seen.astype(np.float64), k[o, :, dh, dw]))
        y[o, step * h : step * (h + 1), step * v : step * (v + 1)] = total
    for name in w.epilogue:
        if name in ("relu", "relu6"):
            y = y.clip(0, 6 if name == "relu6" else None)
        elif name == "add":
            y = y + skip
    return y


def largest(w, x):
    """The meaning of a pool: the largest number of every window, of what there is of it."""
    y = np.zeros((w.cout, *w.out_sides))
    for h, v in itertools.product(*map(range, w.out_sides)):
        top, left = h * w.stride - w.kernel_size // 2, v * w.stride - w.kernel_size // 2
        y[:, h, v] = x[:, max(top, 0) : top + w.kernel_size, max(left, 0) : left + w.kernel_size].max((1, 2))
    return y


def blocked(x, lanes):
    padded = np.zeros((-(-len(x) // lanes) * lanes, *x.shape[1:]), np.float32)
    padded[: len(x)] = x
    return padded.reshape(-1, lanes, *x.shape[1:]).transpose(0, 2, 3, 1).copy()


def planar(y, channels):
    return y.transpose(0, 3, 1, 2).reshape(-1, *y.shape[1:3])[:channels] if y.ndim == 4 else y


def run(w, device, knobs, x, k, b, skip):
    """Compile and run one kernel: planar in, planar out; whatever it leaves in unused lanes must be zero."""
    module = scheduled(w, device, knobs, symbol(w)).mod
    compiled = tvm.compile(module, target=tvm.target.Target(dict(device.target)))
    operands = [x if w.kind == "stem" else blocked(x, device.simd_lanes)]
    operands += [] if k is None else [pack(w, k, device.simd_lanes), pack_bias(w, b, device.simd_lanes)]
    operands += [] if skip is None else [blocked(skip, device.simd_lanes)]
    count = -(-w.cout // device.simd_lanes)
    shape = (1, *w.out_sides) if w.kind == "head" else (count, *w.out_sides, device.simd_lanes)
    operands.append(np.full(shape, np.nan, np.float32))
    tensors = [tvm.runtime.tensor(operand) for operand in operands]
    compiled.jit()[symbol(w)](*tensors)
    y = tensors[-1].numpy()
    if w.kind != "head":
        assert not y.transpose(0, 3, 1, 2).reshape(-1, *w.out_sides)[w.cout :].any()
    return planar(y, w.cout)


def agree(w, device, knobs, seed=0, run=run):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(w.cin, *w.in_sides)).astype(np.float32)
    k = rng.normal(size=(w.cout, 1 if w.kind == "depthwise" else w.cin, w.kernel_size, w.kernel_size)).astype(
        np.float32
    )
    b = rng.normal(size=w.cout).astype(np.float32)
    skip = rng.normal(size=(w.cout, *w.skip_sides)).astype(np.float32) if w.skip_sides else None
    pool = w.kind == "pool"
    expected = largest(w, x) if pool else by_loops(w, x, k, b, skip)
    found = run(w, device, knobs, x, *((None, None, None) if pool else (k, b, skip)))
    worst = np.abs(found - expected).max()
    assert worst < 1e-5 * (1 + np.abs(expected).max()), f"{w} on {device.name} with {knobs}: {worst:.1e}"


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=12, deadline=None)
@given(st.sampled_from([3, 5]), st.sampled_from([1, 2]), CHANNELS, SIDE, SIDE, ACTIVATION, TAIL, st.data())
def test_depthwise(device, kernel_size, stride, channels, height, width, activation, tail, data):
    w = Workload("depthwise", kernel_size, stride, channels, channels, height, width, activation + tail)
    agree(w, device, data.draw(st.sampled_from([*target_of(device).space(w)])))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=8, deadline=None)
@given(st.sampled_from([3, 5]), st.sampled_from([1, 2]), CHANNELS, SIDE, SIDE, ACTIVATION, st.booleans(), st.data())
def test_depthwise_of_a_doubled_input(device, kernel_size, stride, channels, height, width, activation, added, data):
    prologue = ("double", "add") if added else ("double",)
    sides = (2 * ((height + 1) // 2), 2 * ((width + 1) // 2))
    w = Workload("depthwise", kernel_size, stride, channels, channels, *sides, activation, prologue)
    agree(w, device, data.draw(st.sampled_from([*target_of(device).space(w)])))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=12, deadline=None)
@given(CHANNELS, CHANNELS, SIDE, SIDE, ACTIVATION, TAIL, st.data())
def test_pointwise(device, cin, cout, height, width, activation, tail, data):
    w = Workload("pointwise", 1, 1, cin, cout, height, width, activation + tail)
    agree(w, device, data.draw(st.sampled_from([*target_of(device).space(w)])))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=8, deadline=None)
@given(st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]), CHANNELS, CHANNELS, SIDE, SIDE, ACTIVATION, TAIL, st.data())
def test_dense(device, kernel_size, stride, cin, cout, height, width, activation, tail, data):
    kind = data.draw(st.sampled_from(["stem", "conv"]))
    before = data.draw(st.sampled_from([(), ("normalize",)])) if kind == "stem" else ()
    w = Workload(kind, kernel_size, stride, cin, cout, height, width, activation + tail, before)
    agree(w, device, data.draw(st.sampled_from([*target_of(device).space(w)])))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=6, deadline=None)
@given(st.sampled_from([3, 5]), st.sampled_from([1, 2]), CHANNELS, SIDE, SIDE, st.data())
def test_pool(device, kernel_size, stride, channels, height, width, data):
    w = Workload("pool", kernel_size, stride, channels, channels, height, width)
    agree(w, device, data.draw(st.sampled_from([*target_of(device).space(w)])))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=6, deadline=None)
@given(CHANNELS, SIDE, SIDE, ACTIVATION, st.booleans(), st.data())
def test_head(device, cin, height, width, activation, doubled, data):
    w = Workload("head", 1, 1, cin, 1, height, width, activation + (("double",) if doubled else ()))
    agree(w, device, data.draw(st.sampled_from([*target_of(device).space(w)])))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@pytest.mark.parametrize(
    "name",
    [
        "depthwise5s1-f32-c24-14x14+relu",
        "depthwise3s2-f32-c9-13x11+relu6",
        "double+add>depthwise5s1-f32-c40-16x16+relu",
        "pointwise1s1-f32-c40-k24-7x7+relu+double+add",
        "stem3s2-f32-c3-k16-32x32+relu6",
        "conv3s1-f32-c9-k17-8x8+relu",
        "stem7s2-f32-c3-k24-30x30+relu",
        "conv3s1-f32-c24-k17-8x8+add+relu",
        "pool3s2-f32-c24-13x11",
        "head1s1-f32-c17-k1-16x16+relu+double",
    ],
)
def test_the_default_setting_is_legal_and_right(name, device):
    w = Workload.parse(name)
    target_of(device).check(w, target_of(device).default(w))
    agree(w, device, target_of(device).default(w))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tile_w": 5}, "tiles must divide 14x14"),
        ({"tile_h": 14, "tile_w": 14}, "fit 32 registers"),
        ({"tile_oc": 2}, "not legal"),
        ({"task_h": 0}, "not legal"),
        ({"tile": 4}, "this schedule has"),
    ],
)
def test_an_illegal_setting_is_refused_with_the_reason(change, reason):
    w = Workload.parse("depthwise5s1-f32-c24-14x14+relu")
    wide = next(d for d in records() if d.name == "x86-64-v4")
    knobs = target_of(wide).default(w) | change
    with pytest.raises(KernelError, match=reason):
        scheduled(w, wide, knobs, "kernel")


def test_a_wrong_kernel_is_noticed(monkeypatch):
    """The net itself: plant a mistake in what a kernel reads and see the comparison fail."""
    monkeypatch.setitem(globals(), "pack", lambda w, k, lanes, right=pack: right(w, k, lanes) * np.float32(1.001))
    w = Workload.parse("pointwise1s1-f32-c8-k8-4x4+relu")
    with pytest.raises(AssertionError, match="pointwise1s1"):
        agree(w, host(), target_of(host()).default(w))


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    "name",
    [
        "stem3s2-f32-c3-k16-224x224+relu6",
        "depthwise3s2-f32-c56-112x112+relu6",
        "double+add>depthwise5s1-f32-c56-112x112+relu",
        "pointwise1s1-f32-c408-k376-14x14+relu6",
        "head1s1-f32-c16-k1-112x112+relu+double",
    ],
)
def test_schedules_are_those_reviewed(name, request):
    """The verbs a schedule applies, line by line; after a wanted change: pytest --update-golden, and read the diff."""
    w = Workload.parse(name)
    wide = next(d for d in records() if d.name == "x86-64-v4")
    text = "\n".join(map(str, scheduled(w, wide, target_of(wide).default(w), "kernel").trace.as_python())) + "\n"
    path = GOLDEN / f"{symbol(w)}.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(
    "name", ["depthwise5s1-f32-c16-32x2048", "conv3s1-f32-c512-k8-56x56", "stem3s2-f32-c3-k16-2048x2048"]
)
@pytest.mark.parametrize("device", records(), ids=lambda d: d.name)
def test_every_size_has_a_setting(name, device):
    w = Workload.parse(name)
    target_of(device).check(w, target_of(device).default(w))
