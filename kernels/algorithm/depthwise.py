"""Depthwise convolution: one filter per channel."""

from tvm import te

from ..plan import Array
from ..workload import Workload
from .common import F32, blocked, blocks, finish, pack_bias, padded

__all__ = ["compute", "pack", "pack_bias"]


def pack(weight: Array, lanes: int) -> Array:
    """(C, 1, taps, taps) -> (blocks, taps, taps, lanes)."""
    return blocked(weight[:, 0], lanes)


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[c, h, w] = sum over dh, dw of x[c, s h + dh - r, s w + dw - r] k[c, dh, dw],  r = taps // 2, x = 0 outside."""
    count, radius, (height, width) = blocks(w.cin, lanes), w.taps // 2, w.conv_sides
    x = te.placeholder((count, w.height, w.width, lanes), F32, name="x")
    k = te.placeholder((count, w.taps, w.taps, lanes), F32, name="k")
    b = te.placeholder((count, lanes), F32, name="b")
    framed = padded(x, radius)
    dh, dw = te.reduce_axis((0, w.taps), "dh"), te.reduce_axis((0, w.taps), "dw")
    conv = te.compute(
        (count, height, width, lanes),
        lambda c, h, v, i: te.sum(framed[c, h * w.stride + dh, v * w.stride + dw, i] * k[c, dh, dw, i], axis=[dh, dw]),
        name="conv",
    )
    return finish(w, x, k, b, conv)
