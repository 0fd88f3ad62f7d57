"""How tensors lie in memory: channel blocks (NCHWc), and weights in the order in which kernels read them. Numpy only.

A feature map of C channels is (ceil(C / lanes), H, W, lanes), lanes past C zero; image and depth are planar (C, H, W).
Quantised weights lie in fours: processors' dot product instructions multiply four numbers of a byte and add them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ir.workload import Workload

if TYPE_CHECKING:
    from numpy.typing import NDArray


QUAD = 4  # bytes whose products one instruction adds up


def quads(count: int) -> int:
    """Fours that hold so many numbers."""
    return -(-count // QUAD)


def blocks(channels: int, lanes: int) -> int:
    """Channel blocks that hold these channels."""
    return -(-channels // lanes)


def used(channels: int, lanes: int) -> int:
    """Lanes in which these channels are computed in floating point: half a vector is enough for half a block, and half
    the work."""
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

    Quantised, g fours of the columns of a filter or of channels, the last filled with zeros:

    stem         (blocks of cout, cin, kernel_size, g, lanes, 4)
    conv         (blocks of cout, g, kernel_size, kernel_size, lanes, 4)
    depthwise    (blocks, kernel_size, g, lanes, 4)
    pointwise    (blocks of cout, g, lanes, 4)
    head         (blocks of cin, lanes)
    """
    if w.kind == "head":
        return blocked(weight[0, :, 0, 0], lanes)
    if w.dtype.quantized:
        return _in_quads(w, weight, lanes)
    if w.kind == "depthwise":
        weight = weight[:, 0]
    elif w.kind == "pointwise":
        weight = weight[:, :, 0, 0]
    return blocked(weight, used(w.cout, lanes))


def _in_quads(w: Workload, weight: NDArray[Any], lanes: int) -> NDArray[Any]:
    import numpy as np

    across = 1 if w.kind in ("pointwise", "conv") else 3  # channels, or the columns of a filter
    fours = blocked(weight, QUAD, across)
    if w.kind == "depthwise":
        fours = fours[:, 0]
    elif w.kind == "pointwise":
        fours = fours[:, :, 0, 0]
    return np.ascontiguousarray(np.moveaxis(blocked(fours, lanes), -1, -2))


def pack_bias(w: Workload, bias: NDArray[Any], lanes: int) -> NDArray[Any]:
    """What a layer has a number a channel of, (cout,), as its kernel reads it: (blocks, lanes used), and as it is for a
    head."""
    if w.kind == "head":
        return bias
    return blocked(bias, lanes if w.dtype.quantized else used(w.cout, lanes))
