"""What each kernel computes: the equation, then the computation, nothing else. How it runs is its target's schedule.

Shapes are those of kernels/layout.py. Every algorithm has the blocks `padded` (where it pads), `conv` and `result`, the names
schedules know it by.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..ir.workload import Workload
from . import dense, depthwise, head, pointwise, pool, quantized

if TYPE_CHECKING:
    from tvm import te

ALGORITHMS: dict[str, Callable[[Workload, int], "list[te.Tensor]"]] = {
    "stem": dense.compute,
    "depthwise": depthwise.compute,
    "pointwise": pointwise.compute,
    "conv": dense.compute,
    "head": head.compute,
    "pool": pool.compute,
}


def compute(w: Workload, lanes: int) -> "list[te.Tensor]":
    """The tensors of a workload: its operands in order, the result last."""
    return (quantized.ALGORITHMS if w.dtype.quantized else ALGORITHMS)[w.kind](w, lanes)


def operands(w: Workload, lanes: int) -> list[NDArray[Any]]:
    """Random values for every operand of a workload, for kernels to be timed on."""
    rng = np.random.default_rng(0)
    return [
        rng.random([int(extent) for extent in tensor.shape], np.float32).astype(str(tensor.dtype))
        for tensor in compute(w, lanes)
    ]
