"""What each kernel computes: the equation, then the computation, nothing else. How it runs is its target's schedule.

Shapes are those of kernels/layout.py. Every algorithm has the blocks `padded` (where it pads), `conv` and `result`, the names
schedules know it by.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ir.workload import Workload
from . import dense, depthwise, head, pointwise, pool

ALGORITHMS: dict[str, ModuleType] = {
    "stem": dense,
    "depthwise": depthwise,
    "pointwise": pointwise,
    "conv": dense,
    "head": head,
    "pool": pool,
}


def operands(w: Workload, lanes: int) -> list[NDArray[Any]]:
    """Random values for every operand of a workload, for kernels to be timed on."""
    rng = np.random.default_rng(0)
    shapes = ([int(extent) for extent in tensor.shape] for tensor in ALGORITHMS[w.kind].compute(w, lanes))
    return [rng.random(shape, np.float32).astype(w.dtype.numpy) for shape in shapes]
