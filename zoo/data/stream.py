"""Training batches from images held in memory, augmented as whole batches: one affine sampling does scale, shift,
rotation and flip for picture and depth alike, and depth is divided by the scale (a closer look at the same scene)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as F

from .. import console, image
from . import nyu

CROPPED = image.CROP[1] / image.COVER[1]  # share of a frame that the published crop keeps
LABELLED_SHARE = 0.45  # of a batch, where there are photos too
PHOTO_SIDE = 256
T = TypeVar("T")


class Labelled:
    """Frames with measured depth, whole, at their own resolution."""

    def __init__(self, pairs: Sequence[tuple[Path, Path]]) -> None:
        loaded = [nyu.load(pair) for pair in _track(pairs, "reading frames")]
        self.images = torch.from_numpy(np.stack([picture for picture, _ in loaded]).transpose(0, 3, 1, 2).copy())
        self.depths = torch.from_numpy(np.stack([depth for _, depth in loaded]).astype(np.float16))[:, None]
        self.zoom = 1 / CROPPED


class Taught:
    """Photos without depth, labelled once by a teacher network that sees them whole."""

    def __init__(self, paths: Sequence[Path], teacher: nn.Module, side: int = 224) -> None:
        pictures, depths = [], []
        for path in _track(paths, "labelling photos"):
            picture = image.read(path)
            pictures.append((image.whole(picture, PHOTO_SIDE, PHOTO_SIDE) * 255).round().astype(np.uint8))
            with torch.no_grad():
                # FastDepth's map is constant on 2x2 blocks, so every second pixel is all of it
                depths.append(teacher(torch.from_numpy(image.whole(picture, side, side))[None])[0, :, ::2, ::2].half())
        self.images = torch.from_numpy(np.stack(pictures))
        self.depths = torch.stack(depths)
        self.zoom = 1.0


def _track(items: Sequence[T], label: str) -> Iterable[T]:
    return track(items, label, console=console.err, transient=True, disable=not console.err.is_terminal)


def batch(sources: Sequence[Labelled | Taught], size: int, side: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """`size` augmented samples -> images (size, 3, side, side) in [0, 1] and depths (size, 1, side, side) in metres."""
    first = size if len(sources) == 1 else round(size * LABELLED_SHARE)
    parts = [_sample(s, n, side, rng) for s, n in zip(sources, (first, size - first), strict=False)]
    images, depths = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return _jitter(images, rng), depths


def _sample(source: Labelled | Taught, size: int, side: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    chosen = torch.randint(len(source.images), (size,), generator=rng)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(size, generator=rng)

    scale, angle = uniform(1, 1.5), uniform(-5, 5) * math.pi / 180
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    zoom = 1 / (scale * source.zoom)
    theta = torch.zeros(size, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = flip * zoom * angle.cos(), -zoom * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = flip * zoom * angle.sin(), zoom * angle.cos()
    theta[:, 0, 2], theta[:, 1, 2] = uniform(-1, 1) * (1 - zoom), uniform(-1, 1) * (1 - zoom)
    grid = F.affine_grid(theta, [size, 3, side, side], align_corners=False)
    # nearest half the time: the published evaluation samples pictures that way
    mode = "nearest" if torch.rand((), generator=rng) < 0.5 else "bilinear"
    images = F.grid_sample(source.images[chosen].float() / 255, grid, mode, "border", align_corners=False)
    depths = F.grid_sample(source.depths[chosen].float(), grid, "nearest", "border", align_corners=False)
    return images, depths / scale[:, None, None, None]


def _jitter(images: Tensor, rng: torch.Generator) -> Tensor:
    """Brightness, tint, saturation and contrast, each by a random factor around 1."""
    n = len(images)

    def factor() -> Tensor:
        return 0.6 + 0.8 * torch.rand(n, 1, 1, 1, generator=rng)

    images = images * factor() * (1 + 0.08 * torch.randn(n, 3, 1, 1, generator=rng))
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * factor()
    middle = images.mean((1, 2, 3), keepdim=True)
    return (middle + (images - middle) * factor()).clamp(0, 1)
