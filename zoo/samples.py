"""Samples of more than 8 bits: how many bits are in use.

Cameras for machine vision and infrared put 8, 10, 12 or 14 bits into files of 16; taken for 16, they are nearly black. What
a file declares is believed where its samples fit in it; else the fewest of these widths that hold its highest sample.
"""

from __future__ import annotations

import struct
import sys
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTHS = (8, 10, 12, 14, 16, 24, 32)  # bits
PNG = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 100  # of a PNG file, that are looked at: the one in question comes early
BITS_PER_SAMPLE, MAX_SAMPLE_VALUE = 258, 281  # tags of TIFF
NATIVE = {"little": "L", "big": "B"}[sys.byteorder]


def used(highest: int, declared: int | None, asked: int | None = None) -> tuple[int, str | None]:
    """(bits in use, what to say of it) of a picture, given its highest sample, what its file declares, what the user asks."""
    if asked is not None:
        above = f"samples reach {highest}: with {asked} bits, all from {2**asked - 1} on is white"
        return asked, above if highest >= 2**asked else None
    fewest = next((width for width in WIDTHS if highest < 2**width), WIDTHS[-1]) if highest > 0 else 16
    if declared is not None:  # samples beyond it were scaled to the whole of 16 bits, as PNG asks for
        fewest = declared if highest < 2**declared else max(fewest, 16)
    if fewest == 16:
        return 16, None
    return fewest, f"samples taken for {fewest} bits, so {2**fewest - 1} is white (--bits, if they are others)"


def declared(picture: Image.Image) -> int | None:
    """Bits in use by a file's own word: sBIT of PNG; BitsPerSample below 16, or MaxSampleValue, of TIFF."""
    tags: Any = getattr(picture, "tag_v2", None)
    if tags is None:
        found: int | None = picture.info.get("sBIT")
        return found
    width = max(tags.get(BITS_PER_SAMPLE, (16,)))
    if width < 16:
        return int(width)
    highest = int(np.max(tags.get(MAX_SAMPLE_VALUE, 0)))
    return next((width for width in WIDTHS if highest < 2**width), None) if highest > 0 else None


def significant(content: IO[bytes]) -> int | None:
    """What a PNG file's sBIT chunk says of its widest channel; None for other files and those without."""
    content.seek(0)
    if content.read(len(PNG)) != PNG:
        return None
    for _ in range(MOST_CHUNKS):
        head = content.read(8)
        if len(head) < 8 or head[4:] in (b"PLTE", b"IDAT"):
            return None
        (size,) = struct.unpack(">I", head[:4])
        if head[4:] == b"sBIT":
            return max((bits for bits in content.read(min(size, 4)) if 0 < bits <= 16), default=None)
        content.seek(size + 4, 1)
    return None


def is_deep(picture: Image.Image) -> bool:
    """Whether this is a colour picture with 16 bits a sample, of which Pillow keeps the upper 8."""
    return bool(_rawmodes(picture)) and all(_lower(mode) for mode in _rawmodes(picture))


def lower(picture: Image.Image) -> NDArray[np.uint8]:
    """The lower 8 bits of every sample of such a picture, not loaded yet: its decoder is told of the other byte order."""
    grey = _rawmodes(picture)[0] == "LA;16B"
    tiles = []
    for tile in picture.tile:  # type: ignore[attr-defined]
        mode, *rest = (tile.args,) if isinstance(tile.args, str) else tile.args
        other = _lower(mode)
        tiles.append(tile._replace(args=other if isinstance(tile.args, str) else (other, *rest)))
    picture.tile = tiles  # type: ignore[attr-defined]
    values = np.asarray(picture)
    return values[..., [1, 1, 1, 3]] if grey else values


def _rawmodes(picture: Image.Image) -> list[str]:
    tiles = getattr(picture, "tile", [])
    return [tile.args if isinstance(tile.args, str) else str(tile.args[0]) for tile in tiles if tile.args]


def _lower(rawmode: str) -> str | None:
    """The raw mode that gives the lower byte of each sample where this one gives the upper."""
    if rawmode == "LA;16B":
        return "RGBA"  # both bytes of both
    channels, _, order = rawmode.partition(";16")
    order = NATIVE if order == "N" else order
    return f"{channels};16{'LB'[order == 'L']}" if channels in ("RGB", "RGBA", "RGBX") and order in ("L", "B") else None
