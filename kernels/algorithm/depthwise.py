"""Depthwise convolution: one filter per channel."""

from tvm import te

from ..ir.workload import Workload
from ..layout import blocks, used
from .common import finish, padded, skip_placeholder


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[c, h, w] = sum over dh, dw of x[c, s h + dh - r, s w + dw - r] k[c, dh, dw],  r = kernel_size // 2; x = 0
    outside."""
    count, (height, width), skip = blocks(w.cin, lanes), w.conv_sides, skip_placeholder(w, lanes)
    half = used(w.cin, lanes)
    x = te.placeholder((count, *w.in_sides, lanes), w.dtype.tvm, name="x")
    k = te.placeholder((count, w.kernel_size, w.kernel_size, half), w.dtype.tvm, name="k")
    b = te.placeholder((count, half), w.dtype.tvm, name="b")
    pad = padded(w, x, skip, half)
    dh, dw = te.reduce_axis((0, w.kernel_size), "dh"), te.reduce_axis((0, w.kernel_size), "dw")
    conv = te.compute(
        (count, height, width, half),
        lambda c, h, v, i: te.sum(pad[c, h * w.stride + dh, v * w.stride + dw, i] * k[c, dh, dw, i], axis=[dh, dw]),
        name="conv",
    )
    return finish(w, lanes, x, k, b, skip, conv)
