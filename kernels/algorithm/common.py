"""What the algorithms share: channel blocks, zero padding, the epilogue."""

from typing import Any

import numpy as np
from tvm import te, tirx

from ..ir.plan import Array
from ..ir.workload import Workload

F32 = "float32"


def blocks(channels: int, lanes: int) -> int:
    """Channel blocks that hold so many channels."""
    return -(-channels // lanes)


def used(channels: int, lanes: int) -> int:
    """Lanes that so many channels are computed in: half a vector is enough for half a block, and half the work."""
    return lanes // 2 if channels <= lanes // 2 else lanes


def blocked(values: Array, lanes: int, axis: int = 0) -> Array:
    """Split an axis into (blocks, lanes), the lanes moved last; zeros fill the last block."""
    short = -values.shape[axis] % lanes
    padded = np.pad(values, [(0, short if i == axis else 0) for i in range(values.ndim)])
    shape = (*values.shape[:axis], -1, lanes, *values.shape[axis + 1 :])
    return np.ascontiguousarray(np.moveaxis(padded.reshape(shape), axis + 1, -1), np.float32)


def pack_bias(bias: Array, lanes: int) -> Array:
    """(K,) -> (blocks of K, lanes used)."""
    return blocked(bias, used(len(bias), lanes))


def skip_placeholder(w: Workload, lanes: int) -> te.Tensor | None:
    """The tensor that the workload adds, on reading or on writing, if it adds one."""
    if w.skip_sides is None:
        return None
    return te.placeholder(
        (blocks(w.cin if "add" in w.prologue else w.cout, lanes), *w.skip_sides, lanes), F32, name="skip"
    )


def padded(w: Workload, x: te.Tensor, skip: te.Tensor | None, *lanes: int, frame: Any = None) -> te.Tensor:
    """prologue(x), framed with zeros or what `frame` says: x doubled by reading it at half the row and column, the skip added;
    so many lanes."""
    radius, factor, around = w.taps // 2, w.height // w.in_sides[0], tirx.const(0, F32) if frame is None else frame

    def value(b: Any, row: Any, column: Any, *lane: Any) -> Any:
        h, v = row - radius, column - radius
        inside = tirx.all(h >= 0, h < w.height, v >= 0, v < w.width)
        seen = x[(b, h // factor, v // factor, *lane)]
        if "add" in w.prologue and skip is not None:
            seen = seen + skip[(b, h, v, *lane)]
        return tirx.if_then_else(inside, seen, around)

    return te.compute((x.shape[0], w.height + 2 * radius, w.width + 2 * radius, *lanes), value, name="padded")


def finish(
    w: Workload, lanes: int, x: te.Tensor, k: te.Tensor, b: te.Tensor, skip: te.Tensor | None, conv: te.Tensor
) -> list[te.Tensor]:
    """y[…] = epilogue(conv[…] + b), doubled by reading conv at half the row and column: the operands [x, k, b, (skip), y].

    conv is (blocks, H, W, lanes used) with a bias per lane, or for a planar result (H, W) with one bias. Lanes that are
    not used become zeros.
    """
    planar = len(conv.shape) == 2
    factor, count = 2 if "double" in w.epilogue else 1, used(w.cout, lanes)
    shape = (1, *w.out_sides) if planar else (conv.shape[0], *w.out_sides, lanes)

    def value(o: Any, h: Any, v: Any, *lane: Any) -> Any:
        at, own = (h // factor, v // factor), [i % count for i in lane] if count < lanes else lane
        y = conv[at] + b[0] if planar else conv[(o, *at, *own)] + b[(o, *own)]
        for name in w.epilogue:
            if name in ("relu", "relu6"):
                y = te.max(y, tirx.const(0, F32))
            if name == "relu6":
                y = te.min(y, tirx.const(6, F32))
            if name == "add" and skip is not None:
                y = y + skip[(o, h, v, *lane)]
        return tirx.if_then_else(lane[0] // count < 1, y, tirx.const(0, F32)) if lane and count < lanes else y

    return [x, k, b, *([] if skip is None else [skip]), te.compute(shape, value, name="result")]
