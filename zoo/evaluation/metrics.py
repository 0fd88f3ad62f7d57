"""Depth metrics, per image and then averaged over images. Depths are metres."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Depth = NDArray[np.float32]


def measure(prediction: Depth, target: Depth, mask: NDArray[np.bool_] | None = None) -> dict[str, float]:
    """The usual metrics of one image over the pixels of `mask` (default: target > 0).

    deltaK: share of pixels with max(p / t, t / p) < 1.25^K (Eigen et al. 2014). rmse_m, mae_m in metres.
    abs_rel: mean |p - t| / t. log10: mean |log10 p - log10 t|. delta1_scaled: delta1 after scaling p to t's median.
    """
    valid = target > 0 if mask is None else mask
    p, t = np.maximum(prediction[valid].astype(np.float64), 1e-6), target[valid].astype(np.float64)
    if not t.size:
        raise ValueError("no pixel to measure: the mask is empty")
    ratio = np.maximum(p / t, t / p)
    scaled = p * np.median(t) / np.median(p)
    return {
        "delta1": float((ratio < 1.25).mean()),
        "delta2": float((ratio < 1.25**2).mean()),
        "delta3": float((ratio < 1.25**3).mean()),
        "rmse_m": float(np.sqrt(((p - t) ** 2).mean())),
        "mae_m": float(np.abs(p - t).mean()),
        "abs_rel": float((np.abs(p - t) / t).mean()),
        "log10": float(np.abs(np.log10(p) - np.log10(t)).mean()),
        "delta1_scaled": float((np.maximum(scaled / t, t / scaled) < 1.25).mean()),
    }


def mean(rows: Iterable[dict[str, float]]) -> dict[str, float]:
    """Average of the images' metrics."""
    collected = list(rows)
    return {key: float(np.mean([row[key] for row in collected])) for key in collected[0]}
