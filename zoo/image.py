"""The input recipe and its inverse; reading and writing pictures; colour. numpy and Pillow only, so boards can use it.

Two recipes turn a picture into the network's input (3, H, W), RGB in [0, 1], with no mean or deviation removed:

published  scale to cover 333x250, centre crop 304x228, squeeze to the input, every step nearest neighbour
           (github.com/dwofk/fast-depth @ e684920, dataloaders/nyu.py). For evaluation: 640x480 frames of NYU Depth v2.
whole      squeeze the whole picture to the input, bilinear. For photos: every pixel gets a depth.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from . import samples
from .errors import ZooError
from .files import opened

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB
Depth = NDArray[np.float32]  # (H, W) metres

COVER = (333, 250)  # width, height of the published recipe's scaled frame
CROP = (304, 228)
MOST_PIXELS = 100_000_000
SEVERAL = "holds several pictures or frames; this is the first (zoo predict --frames all takes them as a film)"
# Of the formats that Pillow knows, those of photographs and films' frames. Never all: PostScript, under any name, would
# start Ghostscript, and what few people use is where decoders have their faults.
FORMATS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "DIB", "PPM", "AVIF", "JPEG2000", "HEIF", "QOI"),
    "TGA",  # last, as it has no mark of its own
)
MOST_BYTES = 2**30  # of a picture's file, which some of Pillow's decoders read whole
NARROWEST = 2.0  # pictures longer than this ratio are seen in overlapping windows


def from_pillow(picture: Image.Image, bits: int | None = None) -> Pixels:
    """A Pillow image of any mode as upright RGB; `bits` as in `read`."""
    return _converted(picture, bits)[0]


def read(path: Path, most: int = MOST_PIXELS, bits: int | None = None) -> Pixels:
    """Any picture as upright RGB: EXIF rotation applied, transparency on white, grey and 16-bit brought to 8-bit RGB.
    `bits`: how many are in use of samples with more than 8; default: as zoo.samples finds them.
    Raises ZooError for what is no picture, is damaged, or has more than `most` pixels."""
    return read_with_remarks(path, most, bits)[0]


def read_with_remarks(path: Path, most: int = MOST_PIXELS, bits: int | None = None) -> tuple[Pixels, list[str]]:
    """The same, and what a person should know of how it was read."""
    with pillow(path, most) as file:
        if not samples.is_deep(file):
            return _converted(file, bits)
        with pillow(path, most) as again:
            return _deep(file, again, bits)


@contextmanager
def pillow(path: Path, most: int = MOST_PIXELS) -> Iterator[Image.Image]:
    """A picture's file as Pillow opens it. Whatever Pillow trips over, here or in the body, is a ZooError that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is either read well or refused below
            with opened(path, MOST_BYTES) as content:
                significant = samples.significant(content)
                with Image.open(content, formats=formats()) as file:
                    if significant:
                        file.info["sBIT"] = significant
                    if file.width * file.height > most:
                        limit = f"the limit is {most // 10**6} million"
                        raise ZooError(f"{path}: {file.width}x{file.height} pixels; {limit}")
                    yield file
    except ZooError:
        raise
    except FileNotFoundError as error:
        raise ZooError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise ZooError(f"{path}: is a folder, not a picture") from error
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ZooError(f"{path}: not a picture this can read (JPEG, PNG, WebP, TIFF, BMP, …)") from error
    except OSError as error:  # the system's, which has words for it, or Pillow's
        raise ZooError(f"{path}: {error.strerror or f'damaged picture ({error})'}") from error
    except Exception as error:  # on damaged files Pillow's decoders raise whatever their parsing trips over
        raise ZooError(f"{path}: damaged picture ({error})") from error


@cache
def formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow can read; HEIF through pi-heif where that is installed."""
    Image.init()
    if "HEIF" not in Image.OPEN:  # else the program that we are part of has chosen its reader
        with suppress(ImportError):
            from pi_heif import register_heif_opener

            register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@cache
def suffixes() -> frozenset[str]:
    """How files of these formats are called, in small letters: .jpg, .png, …"""
    readable = {*formats(), "MPO"}  # that is how JPEG files with several pictures are called, and read as JPEG
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in readable)


def exif(picture: Path | Image.Image) -> dict[int, Any]:
    """The tags of a picture's Exif IFD, which tell of the lens; none where there are none that can be read."""
    if isinstance(picture, Path):
        with pillow(picture) as file:
            return exif(file)
    try:
        return dict(picture.getexif().get_ifd(ExifTags.IFD.Exif))
    except Exception:  # damaged ones do not make a picture worse
        return {}


def _converted(picture: Image.Image, bits: int | None) -> tuple[Pixels, list[str]]:
    remarks = [SEVERAL] if _several(picture) else []
    upright = ImageOps.exif_transpose(picture)
    if not upright.mode.startswith(("I", "F")):
        return _rgb(upright), remarks
    values = np.asarray(upright)  # one channel of more than 8 bits
    top = max(float(np.nanmax(values)), 1e-9)
    if upright.mode.startswith("I"):
        used, remark = samples.used(int(top), samples.declared(picture), bits)
        top, remarks = 2.0**used - 1, remarks + ([remark] if remark else [])
    return np.repeat(_eight(values, top)[..., None], 3, 2), remarks


def _deep(picture: Image.Image, again: Image.Image, bits: int | None) -> tuple[Pixels, list[str]]:
    """A colour picture of 16 bits, of which Pillow reads the upper 8: enough, unless those are not the ones in use."""
    declared, upper = samples.declared(picture), np.asarray(picture)
    colours = upper[..., :3].max(initial=0)
    if bits is None and declared is None and colours >= 2**6:  # more than 14 bits
        return _converted(picture, None)
    lower = samples.lower(again)
    values = upper.astype(np.uint16) << 8 | lower
    used, remark = samples.used(int(values[..., :3].max(initial=0)), declared, bits)
    picture.paste(Image.fromarray(_eight(values, 2.0**used - 1), picture.mode))
    pixels, remarks = _converted(picture, None)
    return pixels, remarks + ([remark] if remark else [])


def _eight(values: NDArray[Any], top: float) -> NDArray[np.uint8]:
    """Samples from 0 to `top` as 8 bits."""
    made = np.empty(values.shape, np.uint8)
    for row, shown in zip(values, made, strict=True):  # as doubles, all at once would take eight times the picture
        shown[:] = np.rint(np.clip(np.nan_to_num(row.astype(np.float64)) / top * 255, 0, 255))
    return made


def _several(picture: Image.Image) -> bool:
    """Whether a file holds more than one picture, without counting how many."""
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:  # a second one is there, and damaged
        return True


def _rgb(image: Image.Image) -> Pixels:
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
    size = covering(image.width, image.height)
    left, top = (size[0] - CROP[0]) // 2, (size[1] - CROP[1]) // 2
    return image.resize(size, Image.Resampling.NEAREST).crop((left, top, left + CROP[0], top + CROP[1]))


def covering(width: int, height: int) -> tuple[int, int]:
    """To which sides the published recipe scales a picture."""
    scale = max(COVER[0] / width, COVER[1] / height)
    return max(COVER[0], int(width * scale)), max(COVER[1], int(height * scale))


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
