"""The range of a film's legend: it follows the depths smoothly within a shot, and begins anew at a cut."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import ZooError
from ..image import Depth, Pixels

FOLLOW = 0.5  # seconds, the time constant of the moving average
STILL = 0.05  # of the range's width: what its ends may be off before they move, so that noise does not move them
OVERLAP = 0.5  # of two frames' ranges, intersection over union: less is a cut
CUT = 0.12  # of the brightness: the mean difference of two frames' cumulative histograms from which on it is a cut
NARROWEST = 1.25  # the far end over the near one, at least; of a wall seen straight on, noise is all there is to see
STEP = 8  # every so many pixels are counted, which is enough for a histogram


def check(near: float | None, far: float | None) -> tuple[float, float] | None:
    """The range that a person asks for, in metres; None if none is. Raises ZooError unless it is one."""
    if near is None and far is None:
        return None
    if near is None or far is None:
        raise ZooError("--near and --far go together: the nearest and the farthest of the legend, in metres")
    if not (math.isfinite(near) and math.isfinite(far) and 0 <= near < far):
        raise ZooError(f"--near {near:g} --far {far:g}: give metres, the near end from 0 on and less than the far one")
    return near, far


class Span:
    """Called with every frame in turn, it gives the (near, far) in metres that the frame is to be coloured with."""

    def __init__(self, rate: float) -> None:
        """`rate`: frames per second."""
        self.share = 1 - math.exp(-1 / (max(rate, 1.0) * FOLLOW))
        self.ends: NDArray[np.float64] | None = None
        self.seen: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def __call__(self, picture: Pixels, depth: Depth) -> tuple[float, float]:
        """(H, W, 3) RGB and (H, W) metres of the next frame -> (near, far)."""
        near, far = (float(end) for end in np.percentile(depth, (2, 98)))
        ends, shades = np.array([near, max(far, near * NARROWEST, near + 0.1)]), _shades(picture)
        if self.ends is None or self.seen is None or _is_cut(self.seen, (ends, shades)):
            self.ends = ends
        else:
            off = ends - self.ends
            slack = STILL * (self.ends[1] - self.ends[0])
            self.ends = self.ends + self.share * np.sign(off) * np.maximum(np.abs(off) - slack, 0)
        self.seen = ends, shades
        return float(self.ends[0]), float(self.ends[1])


def _shades(picture: Pixels) -> NDArray[np.float64]:
    """(3, 256): the share of pixels up to each level, by channel. Unlike the shares themselves, these change little when all
    of a picture becomes a little lighter, as in a fade."""
    small = picture[::STEP, ::STEP].reshape(-1, 3)
    counts = np.stack([np.bincount(small[:, c], minlength=256) for c in range(3)])
    return np.cumsum(counts, 1) / len(small)


def _is_cut(
    before: tuple[NDArray[np.float64], NDArray[np.float64]], now: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> bool:
    """Whether the range of the depths or the picture's histogram has jumped from one frame to the next."""
    (near, far), (next_near, next_far) = before[0], now[0]
    shared = min(far, next_far) - max(near, next_near)
    apart = shared < OVERLAP * (max(far, next_far) - min(near, next_near))
    return bool(apart or np.abs(before[1] - now[1]).mean() > CUT)
