"""FastDepth Zoo: metric depth from one camera, pretrained and compiled.

import zoo
network = zoo.load("fastdepth_pruned")     # (N, 3, H, W) RGB in [0, 1] -> (N, 1, H, W) metres
predict = zoo.Predictor(network)           # any picture -> depth of its own size
network = zoo.FastDepth.from_pretrained("account/name")    # or a checkpoint folder
compiled = zoo.CompiledDepth("build/fastdepth_pruned-host")    # what `zoo compile` wrote; a Predictor takes it too

What goes wrong and can be mended is a zoo.ZooError of one line, whatever part says it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ZooError

if TYPE_CHECKING:
    from .inference.predictor import Predictor
    from .inference.transform import Transform
    from .kernels.runtime.fastdepth import FastDepth as CompiledDepth
    from .model.network import FastDepth
    from .weights.load import load

__all__ = ["CompiledDepth", "FastDepth", "Predictor", "Transform", "ZooError", "__version__", "load"]

__version__ = "0.1.0"
LATE = {  # torch takes a second to import; whoever lists variants need not wait for it
    "CompiledDepth": (".kernels.runtime.fastdepth", "FastDepth"),
    "FastDepth": (".model.network", "FastDepth"),
    "Predictor": (".inference.predictor", "Predictor"),
    "Transform": (".inference.transform", "Transform"),
    "load": (".weights.load", "load"),
}


def __getattr__(name: str) -> Any:
    if name not in LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = LATE[name]
    return getattr(import_module(module, __name__), attribute)
