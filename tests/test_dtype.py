"""Number formats: nothing but DType knows how many bytes a number has, or what a library calls it."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from zoo.kernels.dtype import DTYPES, F32, DType
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.workload import Workload
from zoo.kernels.layout import blocked, blocks, halves, pack, pack_bias, used


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_every_form_of_a_dtype_says_the_same(dtype):
    assert DType.parse(str(dtype)) is dtype
    assert np.dtype(dtype.numpy).itemsize == dtype.bytes == dtype.dlpack[1] // 8
    assert np.dtype(dtype.numpy).name == dtype.tvm
    assert dtype.accumulator.bytes >= dtype.bytes
    assert 0 < dtype.tolerance < 0.1


@pytest.mark.parametrize("name", ["", "f16", "F32", "float32", "f32 "])
def test_an_unknown_dtype_is_named_with_the_known_ones(name):
    with pytest.raises(KernelError, match=f"^unknown dtype {name!r}; known: f32, int8$"):
        DType.parse(name)


def test_a_workload_carries_its_dtype():
    assert Workload.parse("pointwise1s1-f32-c8-k8-4x4").dtype is F32
    with pytest.raises(KernelError, match="unknown dtype 'f64'"):
        Workload.parse("pointwise1s1-f64-c8-k8-4x4")


def test_no_kernel_restates_a_dtype():
    """In the code that makes kernels, the bytes and names of numbers come from the workload."""
    folders = ("algorithm", "targets", "artifact", "bench")
    for path in (path for folder in folders for path in (ROOT / "kernels" / folder).rglob("*.py")):
        code = re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.S)
        assert not re.findall(r'"float32"|"<f4"|"f32"|\b4 \* ', code), path


@given(st.integers(1, 70), st.sampled_from([1, 4, 8, 16]))
def test_blocks_hold_every_channel_once_and_zeros_after_them(channels, lanes):
    values = np.arange(1, 1 + channels * 6, dtype=np.float32).reshape(channels, 2, 3)
    made = blocked(values, lanes)
    assert made.shape == (blocks(channels, lanes), 2, 3, lanes)
    planar = made.transpose(0, 3, 1, 2).reshape(-1, 2, 3)
    assert np.array_equal(planar[:channels], values)
    assert not planar[channels:].any()
    assert halves(channels, lanes) == (channels > lanes and used(channels % lanes or lanes, lanes) < lanes)


@pytest.mark.parametrize(
    ("name", "weight", "packed", "bias"),
    [
        ("stem3s2-f32-c3-k24-8x8", (24, 3, 3, 3), (2, 3, 3, 3, 16), (2, 16)),
        ("conv3s1-f32-c9-k8-8x8", (8, 9, 3, 3), (1, 9, 3, 3, 8), (1, 8)),
        ("depthwise5s1-f32-c40-8x8", (40, 1, 5, 5), (3, 5, 5, 16), (3, 16)),
        ("pointwise1s1-f32-c9-k17-8x8", (17, 9, 1, 1), (2, 9, 16), (2, 16)),
        ("head1s1-f32-c17-k1-8x8", (1, 17, 1, 1), (2, 16), (1,)),
    ],
)
def test_weights_are_packed_as_documented(name, weight, packed, bias):
    w, rng = Workload.parse(name), np.random.default_rng(0)
    made = pack(w, rng.random(weight), 16)
    assert made.shape == packed
    assert made.dtype == np.float64  # as given
    assert pack_bias(w, rng.random(weight[0]), 16).shape == bias
