import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.kernels.errors import KernelError
from zoo.kernels.ir.workload import EPILOGUE, KINDS, PER_CHANNEL, Workload

size = st.integers(1, 4096)
workloads = st.builds(
    lambda kind, kernel_size, stride, cin, cout, height, width, epilogue, prologue: Workload(
        kind, kernel_size, stride, cin, cin if kind in PER_CHANNEL else cout, height, width, tuple(epilogue), prologue
    ),
    st.sampled_from(KINDS),
    st.sampled_from([1, 3, 5, 7]),
    st.sampled_from([1, 2]),
    size,
    size,
    size,
    size,
    st.lists(st.sampled_from(EPILOGUE), max_size=3),
    st.sampled_from([(), ("double",), ("add",), ("double", "add")]),
)


@given(workloads)
def test_a_name_prints_and_parses(w):
    assert Workload.parse(str(w)) == w


def test_names_read_as_documented():
    w = Workload("depthwise", 5, 1, 56, 56, 112, 112, ("relu",))
    assert str(w) == "depthwise5s1-f32-c56-112x112+relu"
    assert w.macs == 56 * 112 * 112 * 25
    w = Workload("pointwise", 1, 1, 200, 256, 14, 14, ("relu", "double", "add"))
    assert str(w) == "pointwise1s1-f32-c200-k256-14x14+relu+double+add"
    assert w.out_sides == (28, 28)
    w = Workload.parse("double+add>depthwise5s1-f32-c56-112x112+relu")
    assert (w.in_sides, w.skip_sides, w.out_sides) == ((56, 56), (112, 112), (112, 112))


@pytest.mark.parametrize("side", range(1, 12))
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_sides_follow_the_stride(side, stride, kernel_size):
    assert Workload("conv", kernel_size, stride, 1, 1, side, side).conv_sides == (-(-side // stride),) * 2


@pytest.mark.parametrize(
    "name",
    [
        "",
        "depthwise",
        "depthwise5s1-f32-c56-k56-112x112",
        "pointwise1s1-f32-c5-7x7",
        "swish3s1-f32-c5-k5-7x7",
        "depthwise5s1-f32-c56-112x112+tanh",
        "depthwise5s1-f32-c56-112x112 ",
        "depthwise5s1-f32-c-1-112x112",
        "halve>depthwise5s1-f32-c56-112x112",
    ],
)
def test_anything_else_is_refused(name):
    with pytest.raises(KernelError, match=r"not a workload|unknown operation"):
        Workload.parse(name)
