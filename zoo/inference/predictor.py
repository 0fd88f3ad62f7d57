"""Any picture -> depth of its own size. One class for torch networks and for compiled artifacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import image

if TYPE_CHECKING:
    from ..model.network import FastDepth

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (3, height, width) in [0, 1] -> (height, width) metres


class Predictor:
    """The whole-picture recipe around a model: squeeze to the model's input, run, stretch back; panoramas in windows."""

    def __init__(self, model: Any, height: int = 224, width: int = 224) -> None:
        """`model`: a torch FastDepth, run at height x width, or an artifact's FastDepth, which knows its own sides."""
        compiled = hasattr(model, "manifest")
        self.run: Run = model if compiled else runner(model)
        self.height: int = model.height if compiled else height
        self.width: int = model.width if compiled else width

    def __call__(self, picture: image.Pixels) -> image.Depth:
        """(H, W, 3) uint8 RGB -> (H, W) float32 metres."""
        height, width = picture.shape[:2]
        parts = []
        for window in image.windows(width, height):
            bottom, right = window.top + window.height, window.left + window.width
            seen = picture[window.top : bottom, window.left : right]
            depth = self.run(image.whole(seen, self.height, self.width))
            parts.append((window, image.resize_depth(depth, window.height, window.width)))
        return image.blend(parts, width, height)


def runner(network: FastDepth) -> Run:
    """A torch network as a function of arrays."""
    import torch

    device = next(network.parameters()).device

    @torch.inference_mode()
    def run(array: NDArray[np.float32]) -> NDArray[np.float32]:
        depth: NDArray[np.float32] = network(torch.from_numpy(array)[None].to(device))[0, 0].cpu().numpy()
        return depth

    return run


def one_thread(network: FastDepth) -> Run:
    """The same on one thread, to be timed beside an artifact on one thread."""
    import torch

    torch.set_num_threads(1)
    return runner(network)
