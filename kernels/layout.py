"""How tensors lie in memory: channel blocks (NCHWc), and weights in the order in which kernels read them. Numpy only.

A feature map of C channels is (ceil(C / lanes), H, W, lanes), lanes past C zero; image and depth are planar (C, H, W).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ir.workload import Workload

if TYPE_CHECKING:
    from numpy.typing import NDArray


def blocks(channels: int, lanes: int) -> int:
    """Channel blocks that hold these channels."""
    return -(-channels // lanes)


def used(channels: int, lanes: int) -> int:
    """Lanes in which these channels are computed: half a vector is enough for half a block, and half the work."""
    return lanes // 2 if channels <= lanes // 2 else lanes


def halves(channels: int, lanes: int) -> bool:
    """Whether there is a last, at most half full block of channels after full ones: half a vector is enough for it."""
    return channels > lanes and 0 < channels % lanes <= lanes // 2


def blocked_shape(shape: tuple[int, int, int], lanes: int) -> tuple[int, int, int, int]:
    """(C, H, W) -> (blocks, H, W, lanes)."""
    channels, height, width = shape
    return blocks(channels, lanes), height, width, lanes


def blocked(values: NDArray[Any], lanes: int, axis: int = 0) -> NDArray[Any]:
    """Split an axis into (blocks, lanes), the lanes moved last; zeros fill the last block."""
    import numpy as np

    short = -values.shape[axis] % lanes
    padded = np.pad(values, [(0, short if i == axis else 0) for i in range(values.ndim)])
    shape = (*values.shape[:axis], -1, lanes, *values.shape[axis + 1 :])
    return np.ascontiguousarray(np.moveaxis(padded.reshape(shape), axis + 1, -1))


def pack(w: Workload, weight: NDArray[Any], lanes: int) -> NDArray[Any]:
    """A layer's weight (cout, cin / groups, kernel_size, kernel_size) as its kernel reads it:

    stem, conv   (blocks of cout, cin, kernel_size, kernel_size, lanes used)
    depthwise    (blocks, kernel_size, kernel_size, lanes used)
    pointwise    (blocks of cout, cin, lanes used)
    head         (blocks of cin, lanes)
    """
    if w.kind == "head":
        return blocked(weight[0, :, 0, 0], lanes)
    if w.kind == "depthwise":
        weight = weight[:, 0]
    elif w.kind == "pointwise":
        weight = weight[:, :, 0, 0]
    return blocked(weight, used(w.cout, lanes))


def pack_bias(w: Workload, bias: NDArray[Any], lanes: int) -> NDArray[Any]:
    """A layer's bias (cout,) as its kernel reads it: (blocks, lanes used), and as it is for a head."""
    return bias if w.kind == "head" else blocked(bias, used(w.cout, lanes))
