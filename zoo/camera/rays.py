"""Where a camera's pixels look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ZooError
from .intrinsics import Camera

ROUNDS = 20
CLOSE = 1e-4  # of the focal length: less than a tenth of a pixel


def camera_rays(camera: Camera) -> NDArray[np.float64]:
    """(H, W, 3): the direction of every pixel, x right, y down, z = 1. Lens distortion is undone. Raises ZooError where
    the coefficients say of no direction that it is seen there."""
    x = (np.arange(camera.width) - camera.cx) / camera.fx
    y = (np.arange(camera.height) - camera.cy) / camera.fy
    seen = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1)
    flat = _undistorted(seen, camera.distortion) if camera.distortion else seen
    return np.concatenate([flat, np.ones((*flat.shape[:2], 1))], -1)


def distorted(flat: NDArray[np.float64], coefficients: tuple[float, ...]) -> NDArray[np.float64]:
    """(…, 2) directions at z = 1 -> where the lens shows them (Brown 1966; OpenCV's calib3d has the equations)."""
    scale, shift = _parts(flat, coefficients)
    return flat * scale + shift


def _parts(
    flat: NDArray[np.float64], coefficients: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    k1, k2, p1, p2, k3, k4, k5, k6 = (*coefficients, *(0.0,) * (8 - len(coefficients)))
    x, y = flat[..., 0], flat[..., 1]
    r = x * x + y * y
    scale = (1 + r * (k1 + r * (k2 + r * k3))) / (1 + r * (k4 + r * (k5 + r * k6)))
    shift = np.stack([2 * p1 * x * y + p2 * (r + 2 * x * x), p1 * (r + 2 * y * y) + 2 * p2 * x * y], -1)
    return scale[..., None], shift


def _undistorted(seen: NDArray[np.float64], coefficients: tuple[float, ...]) -> NDArray[np.float64]:
    flat = seen
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            scale, shift = _parts(flat, coefficients)
            flat = (seen - shift) / scale
        off = np.abs(distorted(flat, coefficients) - seen).max()
    if not off < CLOSE:
        raise ZooError(
            "the camera's distortion cannot be undone over the whole picture; rectify the picture, and give its camera"
        )
    return flat
