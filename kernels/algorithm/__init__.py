"""What each kernel computes: the equation, then the computation, nothing else. How it runs is kernels/schedule.

Feature maps are channel blocks (ceil(C / lanes), H, W, lanes), lanes past C zero; image and depth are planar (C, H, W).
Every algorithm has the blocks `padded` (where it pads), `conv` and `result`, the names schedules know it by.
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
