"""Procedural rooms with exact depth: a box to stand in, furniture of boxes, paint, patterns, lamps and their shadows.

The same seed gives the same room. `python -m zoo.data.rooms OUT.png [SEED]` renders one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Colour = tuple[float, float, float]
FAR = 1e9
FOCAL = 0.811  # of the width: 519 pixels at 640, the colour camera of NYU Depth v2 (zoo.camera.intrinsics), rounded


@dataclass(frozen=True)
class Box:
    """An axis-aligned solid, or with `hollow` the room itself. Metres; y points up."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    colour: Colour
    pattern: str = "plain"  # plain | planks | tiles | cloth
    hollow: bool = False


def furnish(seed: int) -> tuple[list[Box], Array, Array]:
    """(the boxes, the room first; the lamps' positions; the camera's position) of a room."""
    rng = np.random.default_rng(seed)
    width, height, depth = rng.uniform(3.0, 4.6), rng.uniform(2.4, 2.8), rng.uniform(4.0, 6.0)
    half = width / 2
    paint = rng.uniform(0.62, 0.86) + rng.uniform(-0.08, 0.08, 3)
    wood = np.array([0.46, 0.30, 0.18]) * rng.uniform(0.7, 1.4)

    def fabric() -> Colour:
        return _colour(rng.uniform(0.2, 0.7) + rng.uniform(-0.15, 0.15, 3))

    def tone(factor: float) -> Colour:
        return _colour(wood * factor)

    boxes = [Box((-half, 0, 0), (half, height, depth), _colour(paint), hollow=True)]

    bed, far = rng.uniform(0.9, 1.5), depth - rng.uniform(0.0, 0.4)
    boxes += [  # a bed along the left wall: frame, mattress, pillow, headboard
        Box((-half, 0, far - 2.1), (-half + bed, 0.32, far), tone(0.9), "planks"),
        Box((-half + 0.03, 0.32, far - 2.05), (-half + bed - 0.03, 0.55, far - 0.06), fabric(), "cloth"),
        Box((-half + 0.15, 0.55, far - 0.5), (-half + bed - 0.15, 0.68, far - 0.1), (0.9, 0.9, 0.88), "cloth"),
        Box((-half, 0, far - 0.06), (-half + bed, 1.0, far), tone(0.8), "planks"),
    ]
    wide, top, z = rng.uniform(0.9, 1.4), rng.uniform(0.68, 0.78), rng.uniform(0.45, 0.7) * depth
    left = half - wide - rng.uniform(0.0, 0.2)
    boxes.append(Box((left, top - 0.04, z), (left + wide, top, z + 0.65), tone(1.3), "planks"))  # a table, four legs
    for x in (left + 0.03, left + wide - 0.08):
        for leg in (z + 0.03, z + 0.57):
            boxes.append(Box((x, 0, leg), (x + 0.05, top - 0.04, leg + 0.05), tone(1.0), "planks"))
    shelf = rng.uniform(0.8, 1.2)
    boxes += [
        Box((half - shelf, 0, depth - 0.4), (half, rng.uniform(1.5, 2.0), depth), tone(1.1), "planks"),  # a cupboard
        Box((left + 0.15, top, z + 0.1), (left + 0.4, top + 0.22, z + 0.35), fabric()),  # things on the table
        Box((left + 0.55, top, z + 0.2), (left + 0.8, top + 0.05, z + 0.45), fabric()),
        Box((-0.5, 1.35, depth - 0.03), (0.25, 1.9, depth), fabric(), "cloth"),  # a picture on the far wall
        Box((-0.55, 0.002, 0.3 * depth), (0.65, 0.012, 0.62 * depth), fabric(), "cloth"),  # a rug
    ]
    lamps = np.array([[0.2, height - 0.7, 0.35 * depth], [-half + bed + 0.25, 1.1, far - 0.2]])
    return boxes, lamps, np.array([rng.uniform(-0.3, 0.3), rng.uniform(1.3, 1.6), 0.15])


def _colour(values: Array) -> Colour:
    red, green, blue = np.clip(values, 0, 1)
    return float(red), float(green), float(blue)


def render(
    seed: int, height: int = 480, width: int = 640, degrees: float | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A picture (height, width, 3) and its depth (height, width) in metres, by a pinhole that sees so many degrees across;
    default: NYU's camera."""
    boxes, lamps, eye = furnish(seed)
    rng = np.random.default_rng(seed + 1)
    yaw, pitch = rng.uniform(-0.15, 0.15), rng.uniform(0.12, 0.24)
    focal = FOCAL * width if degrees is None else width / 2 / np.tan(np.radians(degrees) / 2)
    y, x = np.mgrid[:height, :width]
    rays = np.stack([(x + 0.5 - width / 2) / focal, -(y + 0.5 - height / 2) / focal, np.ones((height, width))], -1)
    rays = rays @ _turn(pitch, (1, 2)).T @ _turn(yaw, (2, 0)).T  # unrotated, z is 1: t is depth

    depth, which, axis = _trace(boxes, np.broadcast_to(eye, rays.shape), rays)
    points = eye + rays * depth[..., None]
    normals = np.zeros_like(rays)
    np.put_along_axis(normals, axis[..., None], -np.sign(np.take_along_axis(rays, axis[..., None], -1)), -1)
    light = 0.42 + 0.12 * normals[..., 1]
    for lamp, power in zip(lamps, (2.2, 0.8), strict=True):
        towards = lamp - points
        distance = np.linalg.norm(towards, axis=-1)
        cosine = np.clip((towards * normals).sum(-1) / distance, 0, 1)
        blocked, _, _ = _trace(boxes[1:], points + 1e-4 * normals, towards)
        light = light + power * cosine / (1 + distance**2) * (blocked > 1)
    colour = _paint(boxes, points, which, axis, rng) * light[..., None]
    colour = colour / (0.6 + 0.55 * colour) + rng.normal(0, 0.008, colour.shape)
    return (np.clip(colour, 0, 1) ** 0.8 * 255).round().astype(np.uint8), depth.astype(np.float32)


def _turn(angle: float, axes: tuple[int, int]) -> Array:
    matrix = np.eye(3)
    a, b = axes
    matrix[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return matrix


def _trace(boxes: list[Box], origin: Array, rays: Array) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """(ray parameter of the nearest surface, index of its box, axis of its normal); a room is hit from inside."""
    nearest = np.full(rays.shape[:2], FAR)
    which, axis = np.zeros(rays.shape[:2], np.intp), np.zeros(rays.shape[:2], np.intp)
    inverse = 1 / np.where(np.abs(rays) < 1e-9, 1e-9, rays)
    for index, box in enumerate(boxes):
        a, b = (np.asarray(box.low) - origin) * inverse, (np.asarray(box.high) - origin) * inverse
        enter, leave = np.minimum(a, b), np.maximum(a, b)
        first, last = enter.max(-1), leave.min(-1)
        t, side = (last, leave.argmin(-1)) if box.hollow else (first, enter.argmax(-1))
        hit = (t > 1e-6) & (first <= last) & (t < nearest)
        nearest, which, axis = np.where(hit, t, nearest), np.where(hit, index, which), np.where(hit, side, axis)
    return nearest, which, axis


def _paint(
    boxes: list[Box], points: Array, which: NDArray[np.intp], axis: NDArray[np.intp], rng: np.random.Generator
) -> Array:
    """The surface's own colour at every pixel."""
    u = np.where(axis == 0, points[..., 2], points[..., 0])
    v = np.where(axis == 1, points[..., 2], points[..., 1])
    colour = np.asarray([box.colour for box in boxes])[which]
    floor = (which == 0) & (axis == 1) & (points[..., 1] < 0.01)
    ceiling = (which == 0) & (axis == 1) & ~floor
    colour = np.where(floor[..., None], np.array([0.52, 0.38, 0.25]), colour)
    colour = np.where(ceiling[..., None], 0.9, colour)
    grain = rng.uniform(0.82, 1.12, 64)
    planks = grain[np.floor(u / 0.12).astype(int) % 64] * (1 + 0.06 * np.sin(v * 9 + 5 * np.sin(u * 40)))
    joints = np.where((u / 0.12) % 1 < 0.04, 0.6, 1.0)
    cloth = 1 + 0.12 * np.sign(np.sin(u * 90)) * np.sign(np.sin(v * 35))
    kinds = np.array([box.pattern for box in boxes])[which]
    factor = np.where((kinds == "planks") | floor, planks * joints, np.where(kinds == "cloth", cloth, 1.0))
    skirting = (which == 0) & (axis != 1) & (points[..., 1] < 0.09)
    return np.where(skirting[..., None], 0.93, colour * factor[..., None])


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from ..visual.picture import write

    write(render(int(sys.argv[2]) if len(sys.argv) > 2 else 7)[0], Path(sys.argv[1]))
