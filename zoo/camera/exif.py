"""The lens that a photo's EXIF tells of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import ZooError
from .intrinsics import SAME_ASPECT, Camera

# tags of the Exif IFD (CIPA DC-008)
FOCAL_LENGTH, FOCAL_LENGTH_35MM = 0x920A, 0xA405
PLANE_X_RESOLUTION, PLANE_UNIT = 0xA20E, 0xA210
WIDTH, HEIGHT = 0xA002, 0xA003
MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # to a unit of resolution


def from_exif(tags: Mapping[int, Any], width: int, height: int) -> Camera | None:
    """The camera of a picture, upright, width x height, by the 35-mm equivalent, else by focal length and pixels of the
    sensor; None if the tags do not tell. Raises ZooError where they contradict the picture or one another: they are of
    the photo as it was taken, and programs that crop leave them."""
    taken = _number(tags, WIDTH), _number(tags, HEIGHT)
    equivalent, focal = _number(tags, FOCAL_LENGTH_35MM), _number(tags, FOCAL_LENGTH)
    resolution, unit = _number(tags, PLANE_X_RESOLUTION), _number(tags, PLANE_UNIT) or 2
    if not equivalent and not (focal and resolution and taken[0] and taken[1] and unit in MILLIMETRES):
        return None
    if taken[0] and taken[1]:
        aspects = [max(sides) / min(sides) for sides in ((taken[0], taken[1]), (width, height))]
        if abs(math.log(aspects[0] / aspects[1])) > SAME_ASPECT:
            raise ZooError(f"EXIF is of {taken[0]:.0f}x{taken[1]:.0f} pixels, cut since to {width}x{height}")
    if equivalent:
        return Camera.from_35mm(equivalent, width, height, f"{equivalent:g} mm equivalent by EXIF")
    pixels = focal * resolution / MILLIMETRES[int(unit)] * max(width, height) / max(taken)
    return Camera.from_focal(pixels, width, height, f"{focal:g} mm by EXIF")


def _number(tags: Mapping[int, Any], tag: int) -> float:
    """A tag's value; 0, which EXIF has for unknown, if it is missing or none that can be."""
    try:
        value = float(tags.get(tag) or 0)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0
    return value if math.isfinite(value) and value > 0 else 0
