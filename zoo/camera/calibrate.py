"""Known distances -> the scale of a network's metres on a camera, and the shift where the distances support one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ZooError
from .intrinsics import Calibration

Floats = NDArray[np.floating]
Group = tuple[Floats, Floats]  # predicted and measured metres of one sight: a point, or a frame's pixels
ENOUGH = 8  # sights before a shift is asked for: of fewer, each one bends the line
SURE = 3.0  # standard deviations that a shift must differ from none
NEAREST, FARTHEST = 0.05, 100.0  # metres that a tape measures


def fit(groups: Sequence[Group], *, model: str = "", weights: str = "") -> Calibration:
    """The calibration that brings predicted metres to measured ones. Each group counts alike, whatever its size.

    scale: the geometric mean of measured / predicted. scale and shift: least squares of the relative error
    (scale p + shift - m) / m, taken where there are 8 groups or more and the shift is 3 standard deviations from none.
    Their deviations are the jackknife's over groups (Efron and Tibshirani 1993, chapter 11), as pixels of one picture err
    together. Raises ZooError where nothing can be told."""
    used = [(p.astype(np.float64), m.astype(np.float64)) for p, m in groups if p.size]
    if not used:
        raise ZooError("no distance to calibrate with")
    for p, m in used:
        check(m)
        if not (np.isfinite(p).all() and (p > 0).all()):
            raise ZooError("the network sees no depth at a point; choose another")
    logs = np.array([np.log(m / p).mean() for p, m in used])
    scale, n = math.exp(logs.mean()), len(used)
    if n >= ENOUGH:
        sums = np.array([_sums(p, m) for p, m in used])
        (slope, shift), apart = _solve(sums.sum(0)), np.array([_solve(sums.sum(0) - one) for one in sums])
        errors = np.sqrt((n - 1) * apart.var(0))
        if slope > 0 and np.isfinite(errors).all() and abs(shift) > SURE * errors[1]:
            return Calibration(float(slope), float(shift), float(errors[0]), float(errors[1]), n, model, weights)
    error = scale * float(logs.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    return Calibration(scale, 0.0, error, None, n, model, weights)


def check(metres: Iterable[float]) -> None:
    """Raise ZooError unless these are distances that can be measured in a room."""
    if not all(NEAREST <= m <= FARTHEST for m in metres):  # nor is what is not a number
        raise ZooError(f"distances are {NEAREST:g} to {FARTHEST:g} metres")


def _sums(p: Floats, m: Floats) -> Floats:
    """What a group gives to the normal equations of a p / m + b / m = 1."""
    x, y = p / m, 1 / m
    return np.array([(x * x).mean(), (x * y).mean(), (y * y).mean(), x.mean(), y.mean()])


def _solve(sums: Floats) -> Floats:
    xx, xy, yy, x, y = sums
    determinant = xx * yy - xy * xy
    if determinant <= 1e-9 * xx * yy:  # one distance alone: any shift would do
        return np.array([np.nan, np.nan])
    return np.array([(yy * x - xy * y) / determinant, (xx * y - xy * x) / determinant])
