"""Pointwise convolution: one matrix across the channels, the same at every pixel."""

from tvm import te

from ..ir.workload import Workload
from ..layout import blocks, used
from .common import finish, skip_placeholder


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[o, h, w] = sum over c of x[c, h, w] k[o, c]."""
    count, half = blocks(w.cout, lanes), used(w.cout, lanes)
    x = te.placeholder((blocks(w.cin, lanes), w.height, w.width, lanes), w.dtype.tvm, name="x")
    k = te.placeholder((count, w.cin, half), w.dtype.tvm, name="k")
    b = te.placeholder((count, half), w.dtype.tvm, name="b")
    c = te.reduce_axis((0, w.cin), "c")
    conv = te.compute(
        (count, w.height, w.width, half),
        lambda o, h, v, i: te.sum(x[c // lanes, h, v, c % lanes] * k[o, c, i], axis=c),
        name="conv",
    )
    return finish(w, lanes, x, k, b, skip_placeholder(w, lanes), conv)
