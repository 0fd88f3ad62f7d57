"""Maximum pooling: the largest number of every window, channel by channel."""

from typing import Any

from tvm import te, tirx

from ..workload import Workload
from .common import F32, blocks


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[c, h, w] = max over dh, dw of x[c, s h + dh - r, s w + dw - r],  r = taps // 2; nothing outside counts."""
    count, (height, width), radius = blocks(w.cin, lanes), w.conv_sides, w.taps // 2
    x = te.placeholder((count, w.height, w.width, lanes), F32, name="x")

    def framed(c: Any, row: Any, column: Any, i: Any) -> Any:
        h, v = row - radius, column - radius
        inside = tirx.all(h >= 0, h < w.height, v >= 0, v < w.width)
        return tirx.if_then_else(inside, x[c, h, v, i], te.min_value(F32))

    padded = te.compute((count, w.height + 2 * radius, w.width + 2 * radius, lanes), framed, name="padded")
    dh, dw = te.reduce_axis((0, w.taps), "dh"), te.reduce_axis((0, w.taps), "dw")
    conv = te.compute(
        (count, height, width, lanes),
        lambda c, h, v, i: te.max(padded[c, h * w.stride + dh, v * w.stride + dw, i], axis=[dh, dw]),
        name="conv",
    )
    return [x, te.compute(conv.shape, lambda c, h, v, i: conv[c, h, v, i], name="result")]
