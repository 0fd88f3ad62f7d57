"""Depth as a scene: points of a pinhole camera, and a mesh of them in the picture's colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..camera.intrinsics import Camera
from ..camera.rays import camera_rays
from ..image import Depth, Pixels, resize_depth

LONGEST = 224  # vertices along the longer side
TEAR = 1.15  # neighbours whose depths differ by more than this ratio are not one surface


def unproject(depth: Depth, camera: Camera) -> NDArray[np.float32]:
    """(H, W) metres along the axis of a camera of W x H pixels -> (H, W, 3) metres: x right, y up, z towards the viewer, as
    glTF has them."""
    rays = camera_rays(camera) * (1, -1, -1)
    return (rays * depth[..., None]).astype(np.float32)


def triangles(depth: Depth) -> NDArray[np.int64]:
    """(T, 3) indices of pixels, two triangles to a square of four, none across an edge in depth."""
    height, width = depth.shape
    corner = np.arange(height * width).reshape(height, width)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    values = np.maximum(depth.ravel(), 1e-3)
    square = values[np.stack((a, b, c, d))]
    whole = square.max(0) <= TEAR * square.min(0)
    return np.concatenate([np.stack((a, c, b), -1)[whole], np.stack((b, c, d), -1)[whole]])


def mesh(picture: Pixels, depth: Depth, camera: Camera) -> bytes:
    """A binary glTF of the scene: (H, W, 3) RGB and (H, W) metres of one size, as the camera saw them."""
    from trimesh import Trimesh
    from trimesh.visual import ColorVisuals

    height, width = depth.shape
    scale = min(1.0, LONGEST / max(height, width))
    rows, columns = max(2, round(height * scale)), max(2, round(width * scale))
    small = resize_depth(depth, rows, columns)
    colours = np.asarray(Image.fromarray(picture).resize((columns, rows), Image.Resampling.BILINEAR)).reshape(-1, 3)
    made = Trimesh(
        unproject(small, camera.resized(columns, rows)).reshape(-1, 3),
        triangles(small),
        process=False,
        visual=ColorVisuals(vertex_colors=colours),
    )
    content = made.export(file_type="glb")
    assert isinstance(content, bytes)
    return content
