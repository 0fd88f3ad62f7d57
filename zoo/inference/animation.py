"""Pictures that hold several, as a film: animated GIF, WebP and PNG, TIFF of several pages."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from .. import image
from ..errors import ZooError
from ..image import Pixels

PAGES = 1.0  # a second, of files that say no duration
QUICKEST = 0.02  # seconds; shorter ones are played as a tenth by browsers
USUAL = 0.1


def frames(path: Path, bits: int | None = None) -> tuple[float, int, Generator[Pixels]]:
    """(frames per second, number of frames, the frames). A film has one rate: the mean of their durations. Raises ZooError
    for a file that holds one picture alone, and, with the frames, for what is damaged further on."""
    with image.pillow(path) as file:
        count = int(getattr(file, "n_frames", 1))
        if count == 1:
            raise ZooError(f"{path}: holds one picture; --frames all is for several")
        duration = 0.0
        for number in range(count):
            file.seek(number)
            file.load()  # only then WebP knows its duration
            seconds = float(file.info.get("duration", 0)) / 1000
            duration += seconds if seconds >= QUICKEST else USUAL
        if "duration" not in file.info:
            duration = count / PAGES
    return count / duration, count, _each(path, count, bits)


def _each(path: Path, count: int, bits: int | None) -> Generator[Pixels]:
    with image.pillow(path) as file:
        for number in range(count):
            file.seek(number)
            if file.width * file.height > image.MOST_PIXELS:
                raise ZooError(f"{path}: frame {number} has {file.width}x{file.height} pixels, which is too many")
            yield image.from_pillow(file, bits)
