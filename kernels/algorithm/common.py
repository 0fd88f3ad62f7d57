"""What the algorithms share: channel blocks, zero padding, the epilogue."""

from typing import Any

import numpy as np
from tvm import te, tirx

from ..plan import Array
from ..workload import Workload

F32 = "float32"


def blocks(channels: int, lanes: int) -> int:
    """Channel blocks that hold so many channels."""
    return -(-channels // lanes)


def blocked(values: Array, lanes: int, axis: int = 0) -> Array:
    """Split an axis into (blocks, lanes), the lanes moved last; zeros fill the last block."""
    short = -values.shape[axis] % lanes
    padded = np.pad(values, [(0, short if i == axis else 0) for i in range(values.ndim)])
    shape = (*values.shape[:axis], -1, lanes, *values.shape[axis + 1 :])
    return np.ascontiguousarray(np.moveaxis(padded.reshape(shape), axis + 1, -1), np.float32)


def pack_bias(bias: Array, lanes: int) -> Array:
    """(K,) -> (blocks of K, lanes)."""
    return blocked(bias, lanes)


def padded(x: te.Tensor, radius: int) -> te.Tensor:
    """x with a frame of zeros around the two axes after the first."""
    _, height, width = (int(extent) for extent in x.shape[:3])
    zero = tirx.const(0, F32)

    def value(b: Any, h: Any, w: Any, *lane: Any) -> Any:
        inside = tirx.all(h >= radius, h < height + radius, w >= radius, w < width + radius)
        return tirx.if_then_else(inside, x[(b, h - radius, w - radius, *lane)], zero)

    return te.compute((x.shape[0], height + 2 * radius, width + 2 * radius, *x.shape[3:]), value, name="padded")


def finish(w: Workload, x: te.Tensor, k: te.Tensor, b: te.Tensor, conv: te.Tensor) -> list[te.Tensor]:
    """y[…] = epilogue(conv[…] + b), doubled by reading conv at half the row and column: the operands [x, k, b, (skip), y].

    conv is (blocks, H, W, lanes) with a bias per lane, or for a planar result (H, W) with one bias.
    """
    planar = len(conv.shape) == 2
    factor = 2 if "double" in w.epilogue else 1
    shape = (1, *w.out_sides) if planar else (conv.shape[0], *w.out_sides, conv.shape[3])
    skip = [te.placeholder(shape, F32, name="skip")] if "add" in w.epilogue else []

    def value(o: Any, h: Any, v: Any, *lane: Any) -> Any:
        at = (h // factor, v // factor)
        y = conv[at] + b[0] if planar else conv[(o, *at, *lane)] + b[(o, *lane)]
        for name in w.epilogue:
            if name in ("relu", "relu6"):
                y = te.max(y, tirx.const(0, F32))
            if name == "relu6":
                y = te.min(y, tirx.const(6, F32))
            if name == "add":
                y = y + skip[0][(o, h, v, *lane)]
        return y

    return [x, k, b, *skip, te.compute(shape, value, name="result")]
