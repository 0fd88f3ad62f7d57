"""Every kernel in integers against loops over integers: the same number everywhere, with and without dot product
instructions, at sizes around every tile."""

import itertools

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels import CHANNELS, DEVICES, SIDE, blocked, planar

from zoo.kernels.dtype import INT8
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.program import symbol
from zoo.kernels.ir.workload import Workload
from zoo.kernels.layout import pack, pack_bias
from zoo.kernels.targets import scheduled, target_of

# each device with its instruction where this machine has one; plain loops, which are the same for all, on the narrowest
KINDS = [(f"{d.name} vnni", made) for d in DEVICES if (made := target_of(d).for_dtype(INT8)) != d]
KINDS = [(d.name, d) for d in DEVICES[-1:]] + KINDS
EVERY = pytest.mark.parametrize("device", [d for _, d in KINDS], ids=[name for name, _ in KINDS])
TAIL = st.sampled_from([("relu",), ("relu", "double"), ("relu", "add"), ("relu", "double", "add")])


def by_loops(w, x, k, b, m, skip, r):
    """The workload's meaning, one output at a time, in Python's integers and one product in float32."""

    def added(y):
        return np.minimum(y + np.rint(skip.astype(np.float32) * r[0]), np.float32(255)).astype(np.uint8)

    if w.kind == "stem":
        x = np.rint(np.clip(x * np.float32(255), 0, 255)).astype(np.uint8)
    if "double" in w.prologue:
        x = x.repeat(2, 1).repeat(2, 2)
    if "add" in w.prologue:
        x = added(x.astype(np.float32))
    height, width = w.conv_sides
    y = np.zeros((w.cout, height, width), np.float32)
    radius = w.kernel_size // 2
    for o, h, v in itertools.product(range(w.cout), range(height), range(width)):
        total = int(b[o])
        for dh, dw in itertools.product(range(w.kernel_size), range(w.kernel_size)):
            row, column = h * w.stride + dh - radius, v * w.stride + dw - radius
            if 0 <= row < w.height and 0 <= column < w.width:
                seen = x[o : o + 1, row, column] if w.kind == "depthwise" else x[:, row, column]
                total += int(np.dot(seen.astype(np.int64), k[o, :, dh, dw].astype(np.int64)))
        y[o, h, v] = np.float32(total) * m[o]
    y = y.clip(0) if w.kind == "head" else np.rint(y.clip(0, 255))
    if "double" in w.epilogue:
        y = y.repeat(2, 1).repeat(2, 2)
    if "add" in w.epilogue:
        y = added(y)
    return y if w.kind == "head" else y.astype(np.uint8)


def run(w, device, knobs, x, k, b, m, skip, r):
    """Compile and run one kernel; whatever it leaves in lanes past the channels must be zero."""
    lanes = device.simd_lanes
    module = scheduled(w, device, knobs, symbol(w)).mod
    compiled = tvm.compile(module, target=tvm.target.Target(dict(device.target)))
    operands = [x if w.kind == "stem" else blocked(x, lanes).astype(np.uint8), pack(w, k, lanes)]
    b = b + target_of(device).offset(w) * k.sum((1, 2, 3), np.int32)
    operands += [pack_bias(w, values, lanes) for values in (b, m)]
    operands += [] if skip is None else [blocked(skip, lanes).astype(np.uint8), r]
    shape = (1, *w.out_sides) if w.kind == "head" else (-(-w.cout // lanes), *w.out_sides, lanes)
    operands.append(np.full(shape, 77, np.float32 if w.kind == "head" else np.uint8))
    tensors = [tvm.runtime.tensor(operand) for operand in operands]
    compiled.jit()[symbol(w)](*tensors)
    y = tensors[-1].numpy()
    if w.kind != "head":
        assert not y.transpose(0, 3, 1, 2).reshape(-1, *w.out_sides)[w.cout :].any()
    return planar(y, w.cout)


def agree(w, device, knobs, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (w.cin, *w.in_sides)).astype(np.uint8)
    x = rng.random(x.shape, np.float32) * 1.2 - 0.1 if w.kind == "stem" else x
    across = 1 if w.kind == "depthwise" else w.cin
    k = rng.integers(-127, 128, (w.cout, across, w.kernel_size, w.kernel_size)).astype(np.int8)
    b = rng.integers(-50_000, 50_000, w.cout).astype(np.int32)
    m = (rng.random(w.cout, np.float32) + 0.1) * np.float32(0.01 / np.sqrt(across * w.kernel_size**2))
    skip = rng.integers(0, 256, (w.cout, *w.skip_sides)).astype(np.uint8) if w.skip_sides else None
    r = rng.random(1, np.float32) * 2 if w.skip_sides else None
    operands = (x, k, b, m, skip, r)
    found, expected = run(w, device, knobs, *operands), by_loops(w, *operands)
    assert np.array_equal(found, expected), f"{w} on {device.name} with {knobs}: {np.sum(found != expected)} differ"


def some(w, device, data):
    return data.draw(st.sampled_from([*target_of(device).space(w)]))


@EVERY
@settings(max_examples=5)
@given(st.sampled_from([3, 5, 7]), st.sampled_from([1, 2]), CHANNELS, SIDE, SIDE, TAIL, st.data())
def test_depthwise(device, kernel_size, stride, channels, height, width, tail, data):
    w = Workload("depthwise", kernel_size, stride, channels, channels, height, width, tail, dtype=INT8)
    agree(w, device, some(w, device, data))


@EVERY
@settings(max_examples=4)
@given(st.sampled_from([3, 5]), CHANNELS, SIDE, SIDE, st.booleans(), st.data())
def test_depthwise_of_a_doubled_input(device, kernel_size, channels, height, width, added, data):
    prologue = ("double", "add") if added else ("double",)
    sides = (2 * ((height + 1) // 2), 2 * ((width + 1) // 2))
    w = Workload("depthwise", kernel_size, 1, channels, channels, *sides, ("relu",), prologue, dtype=INT8)
    agree(w, device, some(w, device, data))


@EVERY
@settings(max_examples=5)
@given(CHANNELS, CHANNELS, SIDE, SIDE, TAIL, st.data())
def test_pointwise(device, cin, cout, height, width, tail, data):
    w = Workload("pointwise", 1, 1, cin, cout, height, width, tail, dtype=INT8)
    agree(w, device, some(w, device, data))


@EVERY
@settings(max_examples=5)
@given(
    st.sampled_from(["stem", "conv"]),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 2]),
    CHANNELS,
    CHANNELS,
    SIDE,
    SIDE,
    TAIL,
    st.data(),
)
def test_dense(device, kind, kernel_size, stride, cin, cout, height, width, tail, data):
    w = Workload(kind, kernel_size, stride, cin, cout, height, width, tail, dtype=INT8)
    agree(w, device, some(w, device, data))


@EVERY
@settings(max_examples=3)
@given(CHANNELS, SIDE, SIDE, st.booleans(), st.data())
def test_head(device, cin, height, width, doubled, data):
    w = Workload("head", 1, 1, cin, 1, height, width, ("relu", "double") if doubled else ("relu",), dtype=INT8)
    agree(w, device, some(w, device, data))


@EVERY
@pytest.mark.parametrize("channels", [16, 512])
def test_sums_at_their_largest_are_exact(device, channels):
    """Where 24 bits of a float32 end: all numbers at their ends, as no network has them."""
    w = Workload("pointwise", 1, 1, channels, 16, 2, 2, ("relu",), dtype=INT8)
    x, k = np.full((channels, 2, 2), 255, np.uint8), np.full((16, channels, 1, 1), 127, np.int8)
    b, m = np.arange(16, dtype=np.int32), np.full(16, 250 / (255 * 127 * channels), np.float32)
    found = run(w, device, target_of(device).default(w), x, k, b, m, None, None)
    assert np.array_equal(found, by_loops(w, x, k, b, m, None, None))


def test_a_wrong_kernel_is_noticed(monkeypatch):
    monkeypatch.setitem(globals(), "pack", lambda w, k, lanes, right=pack: right(w, np.roll(k, 1), lanes))
    w = Workload.parse("pointwise1s1-int8-c8-k8-4x4+relu")
    device = KINDS[-1][1]
    with pytest.raises(AssertionError, match="pointwise1s1"):
        agree(w, device, target_of(device).default(w))


def test_kinds_of_machines_without_kernels_in_integers_say_so():
    from zoo.kernels.device import device

    with pytest.raises(KernelError, match="there are no int8 kernels for devices of kind cuda"):
        target_of(device("tx2")).for_dtype(INT8)
