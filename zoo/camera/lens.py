"""What is known of a lens before the picture is there: nothing, a field of view, a focal length, a file; and EXIF's word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ZooError
from ..pickling import Portable
from . import files
from .exif import from_exif
from .intrinsics import Camera

NUMBER = re.compile(r"(\d{1,6}(?:\.\d{0,6})?) ?(deg|degrees|°|mm)", re.IGNORECASE)
WORDS = "69deg (across the longer side), 26mm (35-mm equivalent), exif"


@dataclass(frozen=True)
class Lens(Portable):
    """`word`: what was asked for, as it is told apart in records; `auto`: what EXIF tells, if it tells."""

    word: str = "auto"
    degrees: float | None = None
    millimetres: float | None = None
    known: Camera | None = None

    @classmethod
    def parse(cls, word: str, *, with_files: bool = True) -> Lens:
        """A word of a user's: 69deg, 26mm, exif, or a camera's file. Raises ZooError."""
        if found := NUMBER.fullmatch(word.strip()):
            value, millimetres = float(found[1]), found[2].lower() == "mm"
            lens = cls(f"{value:g}{'mm' if millimetres else 'deg'}", *((None, value) if millimetres else (value, None)))
            lens.camera(640, 480)  # refuses what no lens is
            return lens
        if word.strip().lower() == "exif":
            return cls("exif")
        if not with_files:
            raise ZooError(f"this is no lens; give {WORDS}")  # a page repeats nothing
        path = Path(word)
        if not path.suffix and not path.exists():
            raise ZooError(f"no lens {word[:200]!r}; give {WORDS}, or {files.FORMATS}")
        return cls.of(files.read(path))

    @classmethod
    def of(cls, camera: Camera) -> Lens:
        """A camera known beforehand."""
        return cls(files.dumps(camera), known=camera)

    def camera(self, width: int, height: int, tags: Mapping[int, Any] | None = None) -> Camera:
        """The camera of a picture, width x height, with these EXIF tags; the canonical one where nothing is known. Raises
        ZooError where what is known is of another picture."""
        if self.known:
            return self.known.at(width, height)
        if self.degrees is not None:
            return Camera.from_fov(self.degrees, width, height, "as given")
        if self.millimetres is not None:
            return Camera.from_35mm(self.millimetres, width, height, f"{self.millimetres:g} mm as given")
        reason = "no lens in EXIF" if self.word == "exif" else ""
        try:
            if found := from_exif(tags or {}, width, height):
                return found
        except ZooError as error:
            reason = str(error)
        if self.word == "exif":
            raise ZooError(f"{reason}; give --camera 69deg or 26mm, or a camera's file")
        return Camera.canonical(width, height, reason)
