"""Any picture -> a network's input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import image
from ..pickling import Portable
from .inputs import pictures


class Transform(Portable):
    """A picture -> the network's input, (1, 3, height, width) float32 in [0, 1], by a recipe of zoo.image."""

    def __init__(self, *, crop: bool = True, height: int = 224, width: int = 224, channels: str = "rgb") -> None:
        """`crop=True`: the published recipe (centre crop, nearest). `crop=False`: the whole picture, bilinear. `channels`:
        the order in arrays and tensors, rgb or, as OpenCV has it, bgr."""
        self.crop, self.height, self.width, self.channels = crop, height, width, channels

    def __call__(self, picture: Any) -> Tensor | list[Tensor]:
        """A picture, as `zoo.inference.inputs` lists them -> (1, 3, height, width); a list or batch of them -> a list."""
        recipe = image.published if self.crop else image.whole
        found, several = pictures(picture, self.channels)
        made = [torch.from_numpy(recipe(pixels, self.height, self.width))[None] for pixels in found]
        return made if several else made[0]
