"""Pointwise convolution: one matrix across the channels, the same at every pixel."""

from tvm import te

from ..ir.plan import Array
from ..ir.workload import Workload
from .common import F32, blocked, blocks, finish, pack_bias, skip_placeholder, used

__all__ = ["compute", "pack", "pack_bias"]


def pack(weight: Array, lanes: int) -> Array:
    """(K, C, 1, 1) -> (blocks of K, C, lanes used)."""
    return blocked(weight[:, :, 0, 0], used(len(weight), lanes))


def compute(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[o, h, w] = sum over c of x[c, h, w] k[o, c]."""
    count, half = blocks(w.cout, lanes), used(w.cout, lanes)
    x = te.placeholder((blocks(w.cin, lanes), w.height, w.width, lanes), F32, name="x")
    k = te.placeholder((count, w.cin, half), F32, name="k")
    b = te.placeholder((count, half), F32, name="b")
    c = te.reduce_axis((0, w.cin), "c")
    conv = te.compute(
        (count, w.height, w.width, half),
        lambda o, h, v, i: te.sum(x[c // lanes, h, v, c % lanes] * k[o, c, i], axis=c),
        name="conv",
    )
    return finish(w, lanes, x, k, b, skip_placeholder(w, lanes), conv)
