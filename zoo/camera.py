"""Cameras: how wide a picture's view is, and what that means for metres. Plain data; it prints and parses.

A network sees a picture squeezed to its input and learns what size means what distance through one lens: its canonical camera.
A picture through another lens shows things larger or smaller by the ratio of the focal lengths, each relative to the picture's
width, and its depth comes out nearer or farther by that ratio:

    depth = depth of the canonical camera * (focal / width) / (canonical focal / canonical width)

(as for instance Yin et al. 2023, "Metric3D", arXiv:2307.10984, section 3.1).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ZooError
from .files import get

DIAGONAL_35MM = math.hypot(36, 24)  # of the film that "35 mm equivalent" compares with
LENS = "69deg, 26mm (35 mm equivalent), exif, or a calibration file (ROS camera_info, OpenCV, COLMAP cameras.txt)"


@dataclass(frozen=True)
class Camera:
    """A pinhole camera for pictures of one size: focal lengths and principal point in pixels.

    `distortion` holds the coefficients a calibration gave (k1, k2, p1, p2, k3, …); depth does not use them.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    source: str = ""  # where these numbers are from, for people

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not all(math.isfinite(value) for value in numbers) or min(self.fx, self.fy) <= 0:
            raise ZooError(f"camera {self.source or '?'}: focal lengths must be positive, and all numbers finite")
        if min(self.width, self.height) < 1:
            raise ZooError(f"camera {self.source or '?'}: {self.width}x{self.height} pixels")

    @classmethod
    def from_degrees(cls, degrees: float, width: int, height: int, source: str = "") -> Camera:
        """From the horizontal field of view, square pixels, the principal point in the middle."""
        if not 1 <= degrees < 179:
            raise ZooError(f"a lens sees 1 to 179 degrees across, not {degrees:g}")
        focal = width / 2 / math.tan(math.radians(degrees) / 2)
        return cls(width, height, focal, focal, width / 2, height / 2, source=source or f"{degrees:g} degrees across")

    @classmethod
    def from_35mm(cls, millimetres: float, width: int, height: int, source: str = "") -> Camera:
        """From the focal length in 35 mm equivalent, compared along the diagonal (CIPA DCG-001)."""
        if not 1 <= millimetres <= 3000:
            raise ZooError(f"a focal length is 1 to 3000 mm in 35 mm equivalent, not {millimetres:g}")
        focal = millimetres / DIAGONAL_35MM * math.hypot(width, height)
        return cls(width, height, focal, focal, width / 2, height / 2, source=source or f"{millimetres:g} mm")

    @property
    def degrees(self) -> float:
        """Horizontal field of view."""
        return math.degrees(2 * math.atan(self.width / 2 / self.fx))

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for its pictures at another size."""
        across, down = width / self.width, height / self.height
        return Camera(
            *(width, height, self.fx * across, self.fy * down, self.cx * across, self.cy * down),
            distortion=self.distortion,
            source=self.source,
        )

    def cropped(self, left: int, top: int, width: int, height: int) -> Camera:
        """The same camera for a part of its pictures."""
        return Camera(
            *(width, height, self.fx, self.fy, self.cx - left, self.cy - top),
            distortion=self.distortion,
            source=self.source,
        )

    def scale_from(self, canonical: Camera) -> float:
        """What depth of the canonical camera is multiplied by: the ratio of the focal lengths relative to the picture's
        sides, both sides' mean (geometric), as the network's input has lost the aspect ratio."""
        across = (self.fx / self.width) / (canonical.fx / canonical.width)
        down = (self.fy / self.height) / (canonical.fy / canonical.height)
        return math.sqrt(across * down)


# The colour camera of NYU Depth v2, from its toolbox's camera_params.m: 63.3 degrees across
NYU = Camera(640, 480, 518.858, 519.470, 325.582, 253.736, source="NYU Depth v2, camera_params.m")
# What the networks are taught at scale 1: the published recipe's crop of it, 304 of 333 columns and 228 of 250 rows
CANONICAL = Camera(
    *(584, 438, NYU.fx, NYU.fy, 584 / 2, 438 / 2), source="NYU Depth v2 through the published recipe's crop"
)


def parse(lens: str, width: int, height: int, equivalent_mm: float | None = None) -> Camera:
    """The camera that a user names (see LENS), for a picture of this size; `equivalent_mm` is what its EXIF says. Raises
    ZooError."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(deg|mm)", lens)
    if number:
        make = Camera.from_degrees if number[2] == "deg" else Camera.from_35mm
        return make(float(number[1]), width, height)
    if lens == "exif":
        if not equivalent_mm:
            raise ZooError(
                "--lens exif: the picture does not say its focal length in 35 mm equivalent; give --lens DEGREESdeg"
            )
        return Camera.from_35mm(equivalent_mm, width, height, f"EXIF, {equivalent_mm:g} mm equivalent")
    path = Path(lens)
    if not path.exists():
        raise ZooError(f"--lens {lens}: give {LENS}")
    return read(path).resized(width, height)


def read(path: Path) -> Camera:
    """A camera from a calibration file: ROS camera_info or OpenCV (YAML), or COLMAP's cameras.txt. Raises ZooError."""
    text = get(path, 2**20).decode("utf-8-sig", errors="replace")
    try:
        found = _colmap(text) if path.suffix == ".txt" else _yaml(text)
        return Camera(*found[:6], distortion=found[6], source=path.name)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ZooError(
            f"{path}: not a camera calibration that can be read ({error or type(error).__name__})"
        ) from error


Found = tuple[int, int, float, float, float, float, tuple[float, ...]]
# COLMAP's models: places of fx, fy, cx, cy among the parameters, and where distortion begins
MODELS = {"SIMPLE_PINHOLE": (0, 0, 1, 2, 3), "PINHOLE": (0, 1, 2, 3, 4), "SIMPLE_RADIAL": (0, 0, 1, 2, 3)}
MODELS |= {"RADIAL": (0, 0, 1, 2, 3), "OPENCV": (0, 1, 2, 3, 4), "FULL_OPENCV": (0, 1, 2, 3, 4)}


def _colmap(text: str) -> Found:
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise ValueError(f"{len(lines)} cameras in it; expected one")
    _, model, width, height, *parameters = lines[0]
    if model not in MODELS:
        raise ValueError(f"camera model {model}; known: {', '.join(MODELS)}")
    *places, rest = MODELS[model]
    fx, fy, cx, cy = (float(parameters[i]) for i in places)
    return int(width), int(height), fx, fy, cx, cy, tuple(map(float, parameters[rest:]))


def _yaml(text: str) -> Found:
    import yaml

    class Loader(yaml.SafeLoader):
        """Plain data; OpenCV's matrices are mappings with a tag."""

    Loader.add_constructor(
        "tag:yaml.org,2002:opencv-matrix", lambda loader, node: loader.construct_mapping(node, deep=True)
    )
    body = re.sub(r"^%YAML.*\n(---\n)?", "", text)  # OpenCV writes a directive that YAML does not allow
    try:
        data = yaml.load(body, Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if not isinstance(data, Mapping):
        raise ValueError("no mapping")
    matrix = _first(data, "camera_matrix", "K", "k", "Camera_Matrix")
    values = [float(value) for value in (matrix["data"] if isinstance(matrix, Mapping) else matrix)]
    if len(values) != 9:
        raise ValueError(f"a camera matrix of {len(values)} numbers; expected 9")
    distortion = _first(data, "distortion_coefficients", "D", "d", "Distortion_Coefficients", default=())
    numbers = distortion["data"] if isinstance(distortion, Mapping) else distortion
    width = int(_first(data, "image_width", "width", "image_Width"))
    height = int(_first(data, "image_height", "height", "image_Height"))
    return width, height, values[0], values[4], values[2], values[5], tuple(map(float, numbers))


def _first(data: Mapping[str, Any], *names: str, default: Any = None) -> Any:
    """The value under the first of these names that is there."""
    for name in names:
        if name in data:
            return data[name]
    if default is None:
        raise KeyError(f"no {names[0]}")
    return default
