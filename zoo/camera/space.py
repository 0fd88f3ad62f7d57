"""Points of a picture in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ZooError
from .intrinsics import Camera
from .rays import camera_rays

PATCH = 0.01  # of the longer side: the depth at a point is the median of so much around it, as hands are not steady


def check(x: int, y: int, width: int, height: int, name: object) -> None:
    """Raise ZooError unless a point lies in a picture."""
    if x >= width or y >= height:
        raise ZooError(f"{x},{y}: outside of {name}, which has {width}x{height} pixels")


def depth_at(depth: NDArray[np.float32], x: int, y: int) -> float:
    """Metres along the axis around a pixel of (H, W) metres."""
    reach = round(max(depth.shape) * PATCH / 2)
    return float(np.median(depth[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]))


def place(depth: NDArray[np.float32], camera: Camera, x: int, y: int) -> NDArray[np.float64]:
    """(3,) metres from the camera: right, down, ahead."""
    found: NDArray[np.float64] = camera_rays(camera)[y, x] * depth_at(depth, x, y)
    return found
