"""Depth metrics, per image and then averaged over images. Depths are metres."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Depth = NDArray[np.float32]
ERRORS = ("delta1", "delta2", "delta3", "rmse_m", "mae_m", "abs_rel", "log10")


def measure(
    prediction: Depth,
    target: Depth,
    mask: NDArray[np.bool_] | None = None,
    limits: tuple[float, float] | None = None,
) -> dict[str, float]:
    """The usual metrics of one image over the pixels of `mask` (default: target > 0), as predicted and, with the suffix
    `_scaled`, after scaling the prediction to the target's median; predictions limited to `limits`, where given.

    deltaK: share of pixels with max(p / t, t / p) < 1.25^K (Eigen et al. 2014). rmse_m, mae_m in metres.
    abs_rel: mean |p - t| / t. log10: mean |log10 p - log10 t|. depth_ratio: median of p / median of t.
    """
    valid = target > 0 if mask is None else mask
    p, t = np.maximum(prediction[valid].astype(np.float64), 1e-6), target[valid].astype(np.float64)
    if not t.size:
        raise ValueError("no pixel to measure: the mask is empty")
    ratio = float(np.median(p) / np.median(t))
    found: dict[str, float] = {}
    for suffix, depth in (("", p), ("_scaled", p / ratio)):
        errors = _errors(depth if limits is None else depth.clip(*limits), t)
        found |= {name + suffix: value for name, value in errors.items()}
    return found | {"depth_ratio": ratio}


def _errors(p: NDArray[np.float64], t: NDArray[np.float64]) -> dict[str, float]:
    ratio = np.maximum(p / t, t / p)
    return {
        "delta1": float((ratio < 1.25).mean()),
        "delta2": float((ratio < 1.25**2).mean()),
        "delta3": float((ratio < 1.25**3).mean()),
        "rmse_m": float(np.sqrt(((p - t) ** 2).mean())),
        "mae_m": float(np.abs(p - t).mean()),
        "abs_rel": float((np.abs(p - t) / t).mean()),
        "log10": float(np.abs(np.log10(p) - np.log10(t)).mean()),
    }


def mean(rows: Iterable[dict[str, float]]) -> dict[str, float]:
    """Average of the images' metrics."""
    collected = list(rows)
    return {key: float(np.mean([row[key] for row in collected])) for key in collected[0]}


def bias_and_spread(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """How far the scale is off over all images: `depth_bias`, the geometric mean of their ratios of medians minus 1 (0.1:
    depths come out 10 % too large), and `depth_spread`, by how much that varies between images (one standard deviation
    of the logarithm, as a share)."""
    logs = np.log([row["depth_ratio"] for row in rows])
    return {"depth_bias": float(np.expm1(logs.mean())), "depth_spread": float(np.expm1(logs.std()))}
