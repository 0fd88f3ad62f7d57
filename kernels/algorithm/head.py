"""The last layer: channel blocks in, one planar map out. Its sum runs down the blocks first, then across the lanes."""

from tvm import te

from ..ir.workload import Workload
from ..layout import blocks
from .common import finish


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """partial[h, w, i] = sum over blocks c of x[c, h, w, i] k[c, i];  conv[h, w] = sum over i of partial[h, w, i]."""
    count = blocks(w.cin, lanes)
    x = te.placeholder((count, w.height, w.width, lanes), w.dtype.tvm, name="x")
    k = te.placeholder((count, lanes), w.dtype.tvm, name="k")
    b = te.placeholder((1,), w.dtype.tvm, name="b")
    c, i = te.reduce_axis((0, count), "c"), te.reduce_axis((0, lanes), "i")
    partial = te.compute(
        (w.height, w.width, lanes), lambda h, v, j: te.sum(x[c, h, v, j] * k[c, j], axis=c), name="partial"
    )
    conv = te.compute((w.height, w.width), lambda h, v: te.sum(partial[h, v, i], axis=i), name="conv")
    return finish(w, lanes, x, k, b, None, conv)
