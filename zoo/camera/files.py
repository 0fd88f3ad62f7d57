"""Cameras in files: ours, and those that calibration tools write.

.toml          ours: [camera] width, height, fx, fy, cx, cy, distortion; [calibration] scale, shift, …
.yaml, .yml    ROS camera_info (camera_matrix, distortion_coefficients: rows, cols, data), and OpenCV's FileStorage
               (camera_matrix, distortion_coefficients, image_width, image_height), which begins with %YAML:1.0
.txt           COLMAP's cameras.txt with one camera: ID MODEL WIDTH HEIGHT PARAMETERS
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..errors import ZooError
from ..files import read_bounded
from .intrinsics import Calibration, Camera

MOST_BYTES = 2**16
FORMATS = "a .toml of zoo calibrate, a .yaml of ROS or OpenCV, or COLMAP's cameras.txt"
# COLMAP's parameters: which of ours they are, in its order (src/colmap/sensor/models.h). Its principal point counts from
# the corner of the first pixel, ours from its middle.
COLMAP = {
    "SIMPLE_PINHOLE": "f cx cy",
    "PINHOLE": "fx fy cx cy",
    "SIMPLE_RADIAL": "f cx cy k1",
    "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2",
    "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
}
COEFFICIENTS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
FISHEYE = ("fisheye", "equidistant", "omni")


def read(path: Path) -> Camera:
    """The camera in a file. Raises ZooError that names the file, what is wrong with it and what is expected."""
    parsers = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml, ".txt": _colmap}
    parse = parsers.get(path.suffix.lower())
    if parse is None:
        raise ZooError(f"{path}: not a camera that this can read; give {FORMATS}")
    try:
        camera = parse(read_bounded(path, MOST_BYTES).decode("utf-8-sig"), f"by {path.name}")
    except UnicodeDecodeError as error:
        raise ZooError(f"{path}: not text; give {FORMATS}") from error
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError, RecursionError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) and error.args else str(error)
        raise ZooError(f"{path}: not a camera ({' '.join(what.split())[:200]}); give {FORMATS}") from error
    except ZooError as error:
        raise ZooError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from error
    if not (-camera.width <= camera.cx <= 2 * camera.width and -camera.height <= camera.cy <= 2 * camera.height):
        sides = f"{camera.width}x{camera.height} pixels"
        raise ZooError(
            f"{path}: principal point {camera.cx:g}, {camera.cy:g}, far outside of {sides}; give it in pixels"
        )
    return camera


def dumps(camera: Camera, comment: str = "") -> str:
    """A camera as our .toml, to be read again."""
    told = {name: value for name, value in asdict(camera).items() if name not in ("calibration", "origin") and value}
    lines = [f"# {comment}"] * bool(comment) + [
        "[camera]",
        *(f"{name} = {_word(value)}" for name, value in told.items()),
    ]
    if camera.origin:
        lines.append(f"origin = {_word(camera.origin)}")
    if camera.calibration:
        known = {name: value for name, value in asdict(camera.calibration).items() if value not in (None, "")}
        lines += ["", "[calibration]", *(f"{name} = {_word(value)}" for name, value in known.items())]
    return "\n".join(lines) + "\n"


def _word(value: Any) -> str:
    if isinstance(value, str):
        plain = "".join(c if c.isprintable() and c not in '"\\' else "?" for c in value)
        return f'"{plain}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(repr, value))}]"
    return repr(value)


def _toml(text: str, origin: str) -> Camera:
    record = tomllib.loads(text)
    if unknown := record.keys() - {"camera", "calibration"}:
        raise ValueError(f"unknown table or key {sorted(unknown)[0]}")
    numbers = dict(record["camera"])
    calibration = record.get("calibration")
    _known(numbers, Camera, "camera")
    made = Calibration(**_known(calibration, Calibration, "calibration")) if calibration else None
    told = numbers.pop("origin", "")
    if not isinstance(told, str) or len(told) > 200:
        raise ValueError("origin is a short text")
    numbers["distortion"] = tuple(numbers.get("distortion", ()))
    return Camera(**numbers, origin=f"{told}, {origin}" if told else origin, calibration=made)


def _known(record: Mapping[str, Any], kind: type, table: str) -> Mapping[str, Any]:
    if unknown := record.keys() - {field.name for field in fields(kind)}:
        raise ValueError(f"unknown key {table}.{sorted(unknown)[0]}")
    return record


def _yaml(text: str, origin: str) -> Camera:
    import yaml

    class Loader(yaml.SafeLoader):
        """Plain values alone; OpenCV's matrices are mappings, and a camera repeats nothing, so aliases have no place."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ValueError("aliases are not read")
            return super().compose_node(parent, index)

    Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", lambda loader, node: loader.construct_mapping(node, True))
    try:
        record = yaml.load(text.replace("%YAML:1.0", "%YAML 1.0", 1), Loader)
    except yaml.YAMLError as error:
        raise ValueError(getattr(error, "problem", None) or "not YAML") from error
    if not isinstance(record, dict):
        raise ValueError("no mapping of names to values")
    model = str(record.get("distortion_model", "plumb_bob")).lower()
    if any(word in model for word in FISHEYE):
        raise ZooError(
            f"distortion model {model[:40]}: no pinhole; rectify its pictures, and give the rectified camera"
        )
    matrix = _matrix(record, ("camera_matrix", "Camera_Matrix", "K", "k", "cameraMatrix", "M"), 9)
    bent = _matrix(record, ("distortion_coefficients", "Distortion_Coefficients", "D", "d", "distCoeffs"), None)
    width, height = (
        _first(record, (f"image_{name}", f"image_{name.capitalize()}", name)) for name in ("width", "height")
    )
    fx, skew, cx, _, fy, cy = matrix[:6]
    if abs(skew) > 1e-3 * abs(fx):
        raise ValueError(f"a skew of {skew:g} pixels")
    while bent and (len(bent) not in (4, 5, 8) or not any(bent)):  # zeros at the end, and a lens without distortion
        if bent.pop():
            raise ValueError("a distortion model of more or other coefficients than 4, 5 or 8")
    return Camera(width, height, fx, fy, cx, cy, tuple(bent), origin)


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in record:
            return record[name]
    raise KeyError(names[0])


def _matrix(record: Mapping[str, Any], names: tuple[str, ...], count: int | None) -> list[float]:
    """A matrix of `rows`, `cols`, `data`, or a bare list; empty if it may be missing and is."""
    if count is None and not any(name in record for name in names):
        return []
    found = _first(record, names)
    values = found.get("data") if isinstance(found, dict) else found
    if not isinstance(values, list) or (count is not None and len(values) != count) or len(values) > 14:
        raise ValueError(f"{names[0]} is no list of {count or 'at most 14'} numbers")
    return [_float(value) for value in values]


def _float(value: Any) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return float(value)  # YAML 1.1 takes 1e-3 for a text
    raise ValueError(f"{str(value)[:40]!r} is no number")


def _colmap(text: str, origin: str) -> Camera:
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) != 1:
        raise ValueError(f"{len(lines)} cameras; leave the line of one")
    _, model, width, height, *values = lines[0]
    if model not in COLMAP:
        raise ValueError(f"model {model[:40]}; known: {', '.join(COLMAP)}")
    names = COLMAP[model].split()
    if len(values) != len(names):
        raise ValueError(f"{model} has {len(names)} parameters, not {len(values)}")
    given = dict(zip(names, map(float, values), strict=True))
    fx, fy = given.get("fx", given.get("f", 0)), given.get("fy", given.get("f", 0))
    bent = tuple(given.get(name, 0.0) for name in COEFFICIENTS[: 8 if "k4" in given else 4])
    return Camera(
        int(width), int(height), fx, fy, given["cx"] - 0.5, given["cy"] - 0.5, bent if any(bent) else (), origin
    )
