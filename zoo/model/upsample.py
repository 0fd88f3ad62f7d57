"""What doubles the sides of feature maps: (N, C, H, W) -> (N, C, 2H, 2W). FastDepth takes the nearest neighbour."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def nearest(x: Tensor) -> Tensor:
    """Every pixel a 2x2 block."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def bilinear(x: Tensor) -> Tensor:
    """Bilinear interpolation."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def unpool(x: Tensor) -> Tensor:
    """Every pixel at the top left of a 2x2 block of zeros."""
    count, channels, height, width = x.shape
    padded = F.pad(x[..., None, :, None], (0, 1, 0, 0, 0, 1))  # (N, C, H, 2, W, 2)
    return padded.reshape(count, channels, 2 * height, 2 * width)


UPSAMPLE = {"nearest": nearest, "bilinear": bilinear, "unpool": unpool}
