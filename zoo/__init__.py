"""FastDepth Zoo: metric depth from one camera, pretrained and compiled.

import zoo
network = zoo.load("fastdepth_pruned")     # (N, 3, H, W) RGB in [0, 1] -> (N, 1, H, W) metres
predict = zoo.Predictor(network)           # any picture -> depth of its own size
network = zoo.FastDepth.from_pretrained("account/name")    # or a checkpoint folder
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .inference.predictor import Predictor
    from .weights.load import load
    from .weights.pretrained import FastDepth

__all__ = ["FastDepth", "Predictor", "load"]


def __getattr__(name: str) -> Any:  # torch takes a second to import; whoever lists variants need not wait for it
    if name == "load":
        from .weights.load import load

        return load
    if name == "Predictor":
        from .inference.predictor import Predictor

        return Predictor
    if name == "FastDepth":
        from .weights.pretrained import FastDepth

        return FastDepth
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
