"""The input recipe and its inverse; reading and writing pictures; colour. numpy and Pillow only, so boards can use it.

Two recipes turn a picture into the network's input (3, H, W), RGB in [0, 1], with no mean or deviation removed:

published  scale to cover 333x250, centre crop 304x228, squeeze to the input, every step nearest neighbour
           (github.com/dwofk/fast-depth @ e684920, dataloaders/nyu.py). For evaluation: 640x480 frames of NYU Depth v2.
whole      squeeze the whole picture to the input, bilinear. For photos: every pixel gets a depth.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import ZooError

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB
Depth = NDArray[np.float32]  # (H, W) metres

COVER = (333, 250)  # width, height of the published recipe's scaled frame
CROP = (304, 228)
MOST_PIXELS = 100_000_000
NARROWEST = 2.0  # pictures longer than this ratio are seen in overlapping windows


def from_pillow(picture: Image.Image) -> Pixels:
    """A Pillow image of any mode as upright RGB."""
    return _rgb(ImageOps.exif_transpose(picture))


def read(path: Path, most: int = MOST_PIXELS) -> Pixels:
    """Any picture as upright RGB: EXIF rotation applied, transparency on white, grey and 16-bit brought to 8-bit RGB.
    Raises ZooError for what is no picture, is damaged, or has more than `most` pixels."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is either read well or refused below
            with Image.open(path) as file:
                if file.width * file.height > most:
                    limit = f"the limit is {most // 10**6} million"
                    raise ZooError(f"{path}: {file.width}x{file.height} pixels; {limit}")
                return from_pillow(file)
    except ZooError:
        raise
    except FileNotFoundError as error:
        raise ZooError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise ZooError(f"{path}: is a folder, not a picture") from error
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ZooError(f"{path}: not a picture this can read (JPEG, PNG, WebP, TIFF, BMP, …)") from error
    except Exception as error:  # on damaged files Pillow's decoders raise whatever their parsing trips over
        raise ZooError(f"{path}: damaged picture ({error})") from error


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith(("I", "F")):  # one channel of more than 8 bits: its type tells the range, else its values
        values = np.asarray(image)
        top = 65535.0 if image.mode.startswith("I") else max(float(np.nanmax(values)), 1e-9)
        pixels = np.empty((*values.shape, 3), np.uint8)
        for row, shown in zip(
            values, pixels, strict=True
        ):  # as doubles, all at once would take eight times the picture
            shown[:] = np.rint(np.clip(np.nan_to_num(row.astype(np.float64)) / top * 255, 0, 255))[:, None]
        return pixels
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def published(frame: Pixels, height: int = 224, width: int = 224) -> NDArray[np.float32]:
    """The published recipe: picture -> (3, height, width)."""
    return _input(crop(Image.fromarray(frame)).resize((width, height), Image.Resampling.NEAREST))


def published_depth(depth: Depth, height: int = 224, width: int = 224) -> Depth:
    """The published recipe for the ground truth: (H, W) metres -> (height, width) metres."""
    return np.asarray(crop(Image.fromarray(depth)).resize((width, height), Image.Resampling.NEAREST))


def crop(image: Image.Image) -> Image.Image:
    """Scale to cover 333x250 and take the centre 304x228; for 640x480 that is the published preprocessing."""
    scale = max(COVER[0] / image.width, COVER[1] / image.height)
    size = (max(COVER[0], int(image.width * scale)), max(COVER[1], int(image.height * scale)))
    left, top = (size[0] - CROP[0]) // 2, (size[1] - CROP[1]) // 2
    return image.resize(size, Image.Resampling.NEAREST).crop((left, top, left + CROP[0], top + CROP[1]))


def whole(picture: Pixels, height: int = 224, width: int = 224) -> NDArray[np.float32]:
    """The whole picture -> (3, height, width), aspect not kept, as the network was taught to expect."""
    return _input(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def _input(image: Image.Image) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.asarray(image, np.float32).transpose(2, 0, 1) / 255)


def resize_depth(depth: Depth, height: int, width: int) -> Depth:
    """Bilinear to another size; metres stay metres."""
    return np.asarray(Image.fromarray(depth).resize((width, height), Image.Resampling.BILINEAR), np.float32)


@dataclass(frozen=True)
class Window:
    """A part of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int


def windows(width: int, height: int) -> list[Window]:
    """One window for ordinary pictures; for panoramas, windows of ratio 4:3 that overlap by half or more."""
    long, short = max(width, height), min(width, height)
    if long <= NARROWEST * short:
        return [Window(0, 0, width, height)]
    side = max(1, short * 4 // 3)
    steps = -(-2 * (long - side) // side)
    starts = [round(i * (long - side) / steps) for i in range(steps + 1)]
    return [Window(s, 0, side, height) if width > height else Window(0, s, width, side) for s in starts]


def blend(parts: list[tuple[Window, Depth]], width: int, height: int) -> Depth:
    """Depths of overlapping windows -> one depth (height, width); weights fall linearly towards a window's ends."""
    if len(parts) == 1:
        return parts[0][1]
    total = np.zeros((height, width), np.float64)
    weights = np.zeros((height, width), np.float64)
    for window, depth in parts:
        along = window.width if window.height == height else window.height
        ramp = np.minimum(np.arange(1, along + 1), np.arange(along, 0, -1)).astype(np.float64)
        weight = ramp[None, :] if window.height == height else ramp[:, None]
        area = np.s_[window.top : window.top + window.height, window.left : window.left + window.width]
        total[area] += depth * weight
        weights[area] += weight
    return (total / weights).astype(np.float32)
