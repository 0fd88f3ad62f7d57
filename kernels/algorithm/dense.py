"""Dense convolution: every input channel reaches every output channel. As the stem it reads a planar image."""

from typing import Any

from tvm import te

from ..ir.workload import Workload
from ..layout import blocks, used
from .common import finish, padded, skip_placeholder


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[o, h, w] = sum over c, dh, dw of x[c, s h + dh - r, s w + dw - r] k[o, c, dh, dw],  r = kernel_size // 2."""
    count, half, (height, width) = blocks(w.cout, lanes), used(w.cout, lanes), w.conv_sides
    planar = w.kind == "stem"
    shape = (w.cin, *w.in_sides) if planar else (blocks(w.cin, lanes), *w.in_sides, lanes)
    skip = skip_placeholder(w, lanes)
    x = te.placeholder(shape, w.dtype.tvm, name="x")
    k = te.placeholder((count, w.cin, w.kernel_size, w.kernel_size, half), w.dtype.tvm, name="k")
    b = te.placeholder((count, half), w.dtype.tvm, name="b")
    pad = padded(w, x, skip, *([] if planar else [lanes]))
    c, dh, dw = (
        te.reduce_axis((0, w.cin), "c"),
        te.reduce_axis((0, w.kernel_size), "dh"),
        te.reduce_axis((0, w.kernel_size), "dw"),
    )

    def term(o: Any, h: Any, v: Any, i: Any) -> Any:
        row, column = h * w.stride + dh, v * w.stride + dw
        value = pad[c, row, column] if planar else pad[c // lanes, row, column, c % lanes]
        return te.sum(value * k[o, c, dh, dw, i], axis=[c, dh, dw])

    return finish(w, lanes, x, k, b, skip, te.compute((count, height, width, half), term, name="conv"))
