"""The camera of a picture, and the one that the networks learned metres with.

A picture alone does not tell metres: what looks twice as large is half as far, or was seen through a lens twice as long.
A network takes every picture for one of the camera that it learned from. So where the picture's own camera is known, depth
is multiplied by the ratio of the focal lengths, each measured in the network's input (Facil et al. 2019, CAM-Convs; Yin et
al. 2023, Metric3D: the canonical camera).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import ZooError
from ..pickling import Portable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NARROWEST, WIDEST = 1.0, 170.0  # degrees that a pinhole may see across
LARGEST_SIDE = 10**8  # pixels
DIAGONAL_35MM = math.hypot(36, 24)  # millimetres: by the diagonal, lenses of all formats are compared (CIPA DCG-001)
SAME_ASPECT = 0.02  # by which two aspect ratios may differ: rounding of sides, a row or two that an encoder left out
MODELS = (0, 4, 5, 8)  # distortion coefficients of OpenCV's models


@dataclass(frozen=True)
class Calibration(Portable):
    """What known distances said about a network's depth: metres = scale * depth + shift. `scale_error`, `shift_error`: one
    standard deviation; None where there are too few distances to tell. `weights`: sha256 of the network's."""

    scale: float
    shift: float = 0.0
    scale_error: float | None = None
    shift_error: float | None = None
    points: int = 1
    model: str = ""
    weights: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and 0.01 <= self.scale <= 100 and abs(self.shift) <= 10):
            raise ZooError(f"scale {self.scale:g}, shift {self.shift:g} m: expected 0.01 to 100, and at most 10 m")

    def remark(self, model: str, weights: str) -> str | None:
        """What to know where it is used with another network than the one it was made with."""
        if not self.weights or self.weights == weights:
            return None
        return (
            f"calibrated with other weights ({self.model or self.weights[:12]}) than these of {model}; calibrate again"
        )

    def apply(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depth in metres, corrected; never behind the camera."""
        return (depth * self.scale + self.shift).clip(min=0)


@dataclass(frozen=True)
class Camera(Portable):
    """A pinhole with a lens: focal lengths and principal point in pixels of a picture of width x height, as OpenCV has them
    (x = fx X / Z + cx; the middle of the first pixel is 0). `distortion`: k1, k2, p1, p2, k3, k4, k5, k6, the first 4, 5
    or 8 of them, or none. `origin`: how these numbers became known, in words. Raises ZooError for what is no camera."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    origin: str = ""
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        numbers = (self.width, self.height, self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
            raise ZooError("a camera's numbers are finite")
        if not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in (self.width, self.height)):
            raise ZooError(f"a camera's picture of {self.width}x{self.height}: expected sides of 1 to {LARGEST_SIDE}")
        if not (self.fx > 0 and self.fy > 0):
            raise ZooError(f"focal lengths {self.fx:g} and {self.fy:g} pixels: expected more than 0")
        if not NARROWEST <= self.degrees <= WIDEST + 1e-6:
            raise ZooError(
                f"focal lengths {self.fx:g} and {self.fy:g} for {self.width}x{self.height} pixels see {self.degrees:.3g} "
                f"degrees; expected {NARROWEST:g} to {WIDEST:g}, and focal lengths in pixels"
            )
        if len(self.distortion) not in MODELS or any(abs(k) > 1000 for k in self.distortion):
            raise ZooError(f"{len(self.distortion)} distortion coefficients: expected {MODELS}, none beyond 1000")

    @property
    def degrees(self) -> float:
        """The field of view across the longer side."""
        return _degrees(self.width, self.fx) if self.width >= self.height else _degrees(self.height, self.fy)

    def facts(self) -> dict[str, Any]:
        """What results tell of it."""
        names = ("origin", "degrees", "fx", "fy", "cx", "cy")
        facts = {name: getattr(self, name) for name in names} | {"factor": self.factor()}
        if self.calibration:
            facts |= {"scale": self.calibration.scale, "shift": self.calibration.shift}
        return facts

    @classmethod
    def from_focal(cls, focal: float, width: int, height: int, origin: str = "") -> Camera:
        """Square pixels, `focal` pixels, the axis through the picture's middle."""
        return cls(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, origin=origin)

    @classmethod
    def from_fov(cls, degrees: float, width: int, height: int, origin: str = "") -> Camera:
        """A field of view across the picture's longer side, however the camera is held."""
        if not NARROWEST <= degrees <= WIDEST:
            raise ZooError(f"a lens of {degrees:g} degrees: expected {NARROWEST:g} to {WIDEST:g}")
        return cls.from_focal(max(width, height) / 2 / math.tan(math.radians(degrees) / 2), width, height, origin)

    @classmethod
    def from_35mm(cls, millimetres: float, width: int, height: int, origin: str = "") -> Camera:
        """A 35-mm equivalent focal length, by the diagonal."""
        if not (math.isfinite(millimetres) and millimetres > 0):
            raise ZooError(f"a lens of {millimetres:g} mm: expected more than 0")
        return cls.from_focal(millimetres * math.hypot(width, height) / DIAGONAL_35MM, width, height, origin)

    @classmethod
    def canonical(cls, width: int, height: int, reason: str = "") -> Camera:
        """What a picture is taken for if nothing is known: the camera for which the network's metres need no factor."""
        focal = max(
            width ** WEIGHTS[0] * height ** WEIGHTS[1] * CANONICAL,
            max(width, height) / 2 / math.tan(math.radians(WIDEST) / 2),  # of a panorama, which is seen in parts
        )
        return cls.from_focal(focal, width, height, f"{UNKNOWN} ({reason})" if reason else UNKNOWN)

    @property
    def unknown(self) -> bool:
        """Whether this is what a picture was taken for because nothing was known."""
        return self.origin.startswith(UNKNOWN)

    def resized(self, width: int, height: int) -> Camera:
        """The same view in other pixels; edges stay edges, so (cx + 1/2) / width stays."""
        x, y = width / self.width, height / self.height
        middle = ((self.cx + 0.5) * x - 0.5, (self.cy + 0.5) * y - 0.5)
        return replace(self, width=width, height=height, fx=self.fx * x, fy=self.fy * y, cx=middle[0], cy=middle[1])

    def cropped(self, left: int, top: int, width: int, height: int) -> Camera:
        """A part of the picture."""
        return replace(self, width=width, height=height, cx=self.cx - left, cy=self.cy - top)

    def turned(self) -> Camera:
        """The camera held upright: rotated by 90 degrees counter-clockwise. Tangential distortion turns too."""
        d = self.distortion
        turned = (d[0], d[1], -d[3], d[2], *d[4:]) if d else ()
        cy = self.width - 1 - self.cx
        return Camera(self.height, self.width, self.fy, self.fx, self.cy, cy, turned, self.origin, self.calibration)

    def at(self, width: int, height: int) -> Camera:
        """For a picture of these sides, that the whole sensor saw: resized, turned if need be. Raises ZooError for another
        aspect ratio, as nothing tells what was cut off."""
        for camera in (self, self.turned()):
            if abs(math.log(width / height * camera.height / camera.width)) <= SAME_ASPECT:
                return camera if (camera.width, camera.height) == (width, height) else camera.resized(width, height)
        raise ZooError(
            f"the camera's pictures are {self.width}x{self.height}, this one is {width}x{height}, of another shape; "
            "give the camera of the pictures as they are"
        )

    def factor(self, width: float | None = None, height: float | None = None) -> float:
        """By what the depth must be multiplied that a network predicts for the picture, or for a part of it of width x height
        pixels, squeezed to its input: the focal length, as a share of that, over the canonical one. 1 where the camera is
        unknown."""
        if self.unknown:
            return 1.0
        shares = self.fx / (width or self.width), self.fy / (height or self.height)
        return math.pow(shares[0], WEIGHTS[0]) * math.pow(shares[1], WEIGHTS[1]) / CANONICAL


def _degrees(side: float, focal: float) -> float:
    return math.degrees(2 * math.atan2(side / 2, focal))


UNKNOWN = "unknown"
# How much of a network's depth follows the horizontal and the vertical focal length, where the picture's shape is another
# than 4:3. These networks tell distance by where in the picture's height a thing stands (van Dijk and de Croon 2019 found
# that for networks of cars); measured on frames cut to seven shapes: docs/camera.md.
WEIGHTS = (0.1, 0.9)
# The colour camera of NYU Depth v2 as its toolbox has it (camera_params.m): 63.3 degrees across.
NYU = Camera(640, 480, 518.857901, 519.469611, 325.582449, 253.736166, origin="NYU Depth v2")
# The networks learned from the middle of it, 304x228 of 333x250, and take every picture for one of that camera: 58.8 degrees.
SEEN = (304 / 333, 228 / 250)
CANONICAL: float = (NYU.fx / NYU.width / SEEN[0]) ** WEIGHTS[0] * (NYU.fy / NYU.height / SEEN[1]) ** WEIGHTS[1]
