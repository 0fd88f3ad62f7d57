"""Depth as something to look at: a colour map, the picture beside its depth, and a legend in metres."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont

from ..errors import ZooError
from ..files import write_atomic
from ..image import Depth, Pixels

Stops = Sequence[tuple[int, int, int]]
# near is light and warm, far is dark and cold; lightness falls all the way, so it also reads in grey
STOPS = [(255, 247, 214), (254, 205, 92), (243, 130, 60), (203, 63, 88), (130, 32, 118), (62, 22, 106), (14, 10, 46)]
# too near is cold, too far is warm, right is white
SIGNED = [
    (18, 44, 122),
    (74, 130, 200),
    (186, 214, 236),
    (250, 250, 250),
    (246, 202, 160),
    (220, 110, 60),
    (130, 26, 30),
]
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
RAW = {"npy": ".npy", "png16": ".raw.png"}  # what is put in place of a picture's suffix
LONGEST = 960  # pixels of the picture's longer side in the montage
LEGEND, LOWEST = 84, 160  # width and least height of the legend
GAP = 8


def colours(depth: Depth, near: float, far: float, stops: Stops = STOPS) -> Pixels:
    """(H, W) metres -> (H, W, 3), `near` and closer the first stop, `far` and beyond the last."""
    place = np.clip((depth - near) / max(far - near, 1e-6), 0, 1) * (len(stops) - 1)
    table = np.asarray(stops, np.float32)
    channels = [np.interp(place, np.arange(len(stops)), table[:, c]) for c in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)


def limits(depth: Depth) -> tuple[float, float]:
    """A range for the legend: the depths without their extreme 2 % at either end, to the next tenth of a metre."""
    near, far = np.percentile(depth, (2, 98))
    low = float(np.floor(near * 10) / 10)
    return low, max(float(np.ceil(far * 10) / 10), low + 0.1)


def fit(height: int, width: int) -> tuple[int, int]:
    """(width, height) in which a picture is shown: its own, or smaller."""
    scale = min(1.0, LONGEST / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def montage(picture: Pixels, depth: Depth, limit: tuple[float, float] | None = None) -> Pixels:
    """The picture, its depth in colour, and the legend, side by side."""
    photo = Image.fromarray(picture).resize(fit(*depth.shape), Image.Resampling.LANCZOS)
    return _beside([photo], depth, limit or limits(depth))


def shown(depth: Depth) -> Pixels:
    """The depth in colour and the legend beside it. `point` finds a pixel of it again."""
    return _beside([], depth, limits(depth))


def point(x: int, y: int, height: int, width: int) -> tuple[int, int] | None:
    """(row, column) of the depth, height x width, that is at pixel (x, y) of `shown`; None beside it."""
    wide, high = fit(height, width)
    column = (x - GAP) * width // wide
    row = (y - GAP - (max(high, LOWEST) - high) // 2) * height // high
    return (row, column) if 0 <= row < height and 0 <= column < width else None


def _beside(left: list[Image.Image], depth: Depth, limit: tuple[float, float]) -> Pixels:
    size = fit(*depth.shape)
    coloured = Image.fromarray(colours(depth, *limit)).resize(size, Image.Resampling.BILINEAR)
    scale = legend(max(size[1], LOWEST), *limit)
    tiles = [*left, coloured, scale]
    canvas = Image.new("RGB", (sum(tile.width + GAP for tile in tiles) + GAP, scale.height + 2 * GAP), "white")
    at = GAP
    for tile in tiles:
        canvas.paste(tile, (at, (canvas.height - tile.height) // 2))
        at += tile.width + GAP
    return np.asarray(canvas)


def legend(height: int, near: float, far: float, stops: Stops = STOPS) -> Image.Image:
    """A bar of the colours from `near` at the top to `far`, with marks in metres; signed where `near` is negative."""
    font = ImageFont.load_default(size=14)
    made = Image.new("RGB", (LEGEND, height), "white")
    draw = ImageDraw.Draw(made)
    bar, margin = 18, 10
    ramp = np.linspace(near, far, height - 2 * margin, dtype=np.float32)[:, None].repeat(bar, 1)
    made.paste(Image.fromarray(colours(ramp, near, far, stops)), (0, margin))
    for value in _ticks(near, far, max(2, height // 40)):
        y = margin + (value - near) / (far - near) * (height - 2 * margin - 1)
        draw.line((bar, y, bar + 5, y), fill="black")
        words = f"{value:+g} m" if near < 0 and value else f"{value:g} m"
        draw.text((bar + 9, y), words, fill="black", font=font, anchor="lm")
    return made


def _ticks(near: float, far: float, most: int) -> list[float]:
    for step in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0):
        first, last = int(np.ceil(near / step - 1e-6)), int(np.floor(far / step + 1e-6))
        if last - first < most:
            return [round(i * step, 2) for i in range(first, last + 1)]
    return [near, far]


def check_format(path: Path) -> str:
    """Pillow's name for the format of a picture to write. Raises ZooError for suffixes it does not write."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise ZooError(f"{path}: cannot write this kind of picture; use {', '.join(sorted(FORMATS))}") from None


def write(pixels: Pixels, path: Path, software: str = "") -> None:
    """Write a picture, whole or not at all. `software` is the field of its header that names its maker."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, check_format(path), exif=_header(software))
    write_atomic(path, buffer.getvalue())


def write_raw(depth: Depth, picture: Path, kind: str) -> Path:
    """The bare depth beside a picture: `npy` float32 metres, or `png16` millimetres, 65.535 m at most."""
    path = picture.with_suffix(RAW[kind])
    write_atomic(path, raw(depth, kind))
    return path


def raw(depth: Depth, kind: str, software: str = "") -> bytes:
    """The content of such a file; an .npy has no room for its maker."""
    buffer = BytesIO()
    if kind == "npy":
        np.save(buffer, depth.astype(np.float32))
    else:
        units = np.clip(depth * 1000, 0, 65535).round().astype(np.uint16)
        Image.fromarray(units).save(buffer, "PNG", exif=_header(software))
    return buffer.getvalue()


def _header(software: str) -> Image.Exif:
    header = Image.Exif()
    if software:
        header[ExifTags.Base.Software] = software
    return header
