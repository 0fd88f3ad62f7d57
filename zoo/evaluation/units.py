"""Whether measured depths are in the unit they are taken for."""

from __future__ import annotations

import math
from collections.abc import Mapping

COMMON = (1, 100, 256, 512, 1000, 4000, 5000, 10000)  # units to the metre; 256: KITTI, 1000: Kinect, 5000: TUM
SHAPES_AGREE = 0.5  # of median-scaled delta1
FAR_OFF = 1.5


def fitting_scale(scores: Mapping[str, float], scale: float) -> float | None:
    """The units to the metre with which true depths would be as large as the predicted ones, if `scale` leaves them far
    apart though shapes agree; a common one where that is near."""
    ratio = 1 + scores["depth_bias"]
    if scores["delta1_scaled"] < SHAPES_AGREE or 1 / FAR_OFF < ratio < FAR_OFF:
        return None
    fits = scale / ratio
    nearest = min(COMMON, key=lambda unit: abs(math.log(unit / fits)))
    return float(nearest if nearest != scale and abs(math.log(nearest / fits)) < math.log(1.25) else f"{fits:.2g}")
