"""Depthwise convolution: one filter per channel."""

from tvm import te

from ..ir.plan import Array
from ..ir.workload import Workload
from .common import F32, blocked, blocks, finish, pack_bias, padded, skip_placeholder, used

__all__ = ["compute", "pack", "pack_bias"]


def pack(weight: Array, lanes: int) -> Array:
    """(C, 1, taps, taps) -> (blocks, taps, taps, lanes used)."""
    return blocked(weight[:, 0], used(len(weight), lanes))


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[c, h, w] = sum over dh, dw of x[c, s h + dh - r, s w + dw - r] k[c, dh, dw],  r = taps // 2, x = 0 outside."""
    count, (height, width), skip = blocks(w.cin, lanes), w.conv_sides, skip_placeholder(w, lanes)
    half = used(w.cin, lanes)
    x = te.placeholder((count, *w.in_sides, lanes), F32, name="x")
    k = te.placeholder((count, w.taps, w.taps, half), F32, name="k")
    b = te.placeholder((count, half), F32, name="b")
    framed = padded(w, x, skip, half)
    dh, dw = te.reduce_axis((0, w.taps), "dh"), te.reduce_axis((0, w.taps), "dw")
    conv = te.compute(
        (count, height, width, half),
        lambda c, h, v, i: te.sum(framed[c, h * w.stride + dh, v * w.stride + dw, i] * k[c, dh, dw, i], axis=[dh, dw]),
        name="conv",
    )
    return finish(w, lanes, x, k, b, skip, conv)
