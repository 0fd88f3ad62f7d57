"""What each kernel computes: the equation, then the computation, nothing else. How it runs is its target's schedule.

Shapes are those of kernels/layout.py. Every algorithm has the blocks `padded` (where it pads), `conv` and `result`, the names
schedules know it by.
"""

from types import ModuleType

from . import dense, depthwise, head, pointwise, pool

ALGORITHMS: dict[str, ModuleType] = {
    "stem": dense,
    "depthwise": depthwise,
    "pointwise": pointwise,
    "conv": dense,
    "head": head,
    "pool": pool,
}
