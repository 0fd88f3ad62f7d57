"""Maximum pooling: the largest number of every window, channel by channel."""

from tvm import te

from ..ir.workload import Workload
from ..layout import blocks
from .common import padded


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[c, h, w] = max over dh, dw of x[c, s h + dh - r, s w + dw - r],  r = kernel_size // 2; nothing outside counts."""
    count, (height, width) = blocks(w.cin, lanes), w.conv_sides
    x = te.placeholder((count, w.height, w.width, lanes), w.dtype.tvm, name="x")
    pad = padded(w, x, None, lanes, border=te.min_value(w.dtype.tvm))
    dh, dw = te.reduce_axis((0, w.kernel_size), "dh"), te.reduce_axis((0, w.kernel_size), "dw")
    conv = te.compute(
        (count, height, width, lanes),
        lambda c, h, v, i: te.max(pad[c, h * w.stride + dh, v * w.stride + dw, i], axis=[dh, dw]),
        name="conv",
    )
    return [x, te.compute(conv.shape, lambda c, h, v, i: conv[c, h, v, i], name="result")]
