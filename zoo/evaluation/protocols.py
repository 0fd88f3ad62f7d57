"""Evaluation protocols: how a frame is shown to a network, and over which pixels its depth is compared. Published tables
differ by exactly this, so every number names its protocol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import image
from ..errors import ZooError

Box = tuple[int, int, int, int]  # first row, end of rows, first column, end of columns


@dataclass(frozen=True)
class Protocol:
    """`published_crop`: picture and true depth are cropped and thinned to the input's size, as FastDepth does; otherwise
    the whole picture is shown and compared at its own size. Counted are pixels whose true depth lies between `nearest_m`
    and `farthest_m`, both excluded, inside `box` of a frame of `size` (height, width). With `cap`, predictions are limited
    to the same range first."""

    name: str
    summary: str
    published_crop: bool = False
    nearest_m: float = 0.0
    farthest_m: float = 9.9
    size: tuple[int, int] | None = None
    box: Box | None = None
    cap: bool = False

    @property
    def mask(self) -> str:
        """The pixels that count, in words."""
        box = f" in rows {self.box[0]}:{self.box[1]}, columns {self.box[2]}:{self.box[3]}" if self.box else ""
        return f"{self.nearest_m:g} < depth < {self.farthest_m:g} m{box}"

    @property
    def limits(self) -> tuple[float, float] | None:
        """Metres to which predictions are limited, if they are."""
        return (self.nearest_m, self.farthest_m) if self.cap else None

    def seen(self, width: int, height: int) -> tuple[float, float]:
        """How much of a picture is shown, in its pixels."""
        if not self.published_crop:
            return width, height
        scaled = image.covering(width, height)
        return width * image.CROP[0] / scaled[0], height * image.CROP[1] / scaled[1]

    def show(
        self, picture: image.Pixels, depth: image.Depth, height: int, width: int
    ) -> tuple[NDArray[np.float32], image.Depth, NDArray[np.bool_]]:
        """(the network's input (3, height, width), the true depth, which of its pixels count). Raises ZooError if this
        protocol is not for such frames, or no pixel counts."""
        if self.size and depth.shape != self.size:
            raise ZooError(
                f"{depth.shape[0]}x{depth.shape[1]}; protocol {self.name} is for {self.size[0]}x{self.size[1]}"
            )
        if self.published_crop:
            view, depth = image.published(picture, height, width), image.published_depth(depth, height, width)
        else:
            view = image.whole(picture, height, width)
        mask = (depth > self.nearest_m) & (depth < self.farthest_m)
        if self.box:
            top, bottom, left, right = self.box
            inside = np.zeros_like(mask)
            inside[top:bottom, left:right] = True
            mask &= inside
        if not mask.any():
            median = np.median(depth[depth > 0]) if (depth > 0).any() else 0
            raise ZooError(
                f"no depth between {self.nearest_m:g} and {self.farthest_m:g} m to compare with; its median is "
                f"{median:.3g} m (--scale says how many of its units are a metre)"
            )
        return view, depth, mask


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("published", "centre crop of FastDepth, nearest neighbour, at the input's size", published_crop=True),
        Protocol("whole", "the whole picture, at its own size: what zoo predict does"),
        Protocol(
            "eigen",
            "the whole picture, over the crop of NYU Depth v2 by Eigen et al. 2014, depth up to 10 m",
            nearest_m=1e-3,
            farthest_m=10.0,
            size=(480, 640),
            box=(45, 471, 41, 601),
            cap=True,
        ),
    )
}


def protocol(name: str) -> Protocol:
    """The protocol of that name. Raises ZooError with the known names."""
    if name not in PROTOCOLS:
        raise ZooError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
