"""The bare depth of a film, beside it: a file for every frame in a folder, and one .npy of all frames.

For `depth.mp4`: `depth-frames/000000.npy` or `.raw.png`, numbered from 0 as in the stack; `depth.npy`, the stack, float32
metres (frames, H, W); `depth-frames/SHA256SUMS`, which names the digests of both, as `sha256sum --check` reads it, and so
tells them from the user's.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import shutil
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import ZooError
from ..files import read_bounded, replacing
from ..image import Depth
from ..outputs import Ours, mark, marked
from ..visual import picture

SUMS = "SHA256SUMS"
FRAME = re.compile(rf"\d{{6,}}({'|'.join(map(re.escape, picture.RAW.values()))})")


class RawFilm:
    """Where the bare depth of a film goes. `writing` is entered once, for all frames."""

    def __init__(self, film: Path, kind: str, command: str) -> None:
        """`film`: the film that this lies beside; `kind`: npy (float32 metres) or png16 (millimetres); `command`: the maker."""
        self.kind, self.command = kind, command
        self.folder, self.stack = film.with_name(f"{film.stem}-frames"), film.with_suffix(".npy")
        self.lines: list[str] = []
        self.shape: tuple[int, ...] = ()

    def targets(self) -> list[tuple[Path, Ours]]:
        """What would be replaced, and whether this command made it, for `claim`. Raises ZooError if the folder is none."""
        if (self.folder.exists() or self.folder.is_symlink()) and not self.folder.is_dir():
            raise ZooError(f"{self.folder}: is no folder; choose another place to write to")
        sums = self.folder / SUMS
        ours = _listed(sums, self.command)
        return [(sums, marked(self.command)), (self.stack, ours), *((path, ours) for path in self._there())]

    def _there(self) -> list[Path]:
        """The frames of an earlier film in the folder; other files are left alone."""
        return sorted(path for path in self.folder.glob("*") if FRAME.fullmatch(path.name))

    @contextlib.contextmanager
    def writing(self) -> Iterator[RawFilm]:
        """Take frames; when all are there they appear, and after an error nothing does. Raises ZooError."""
        made = self.folder.with_name(f".{uuid.uuid4().hex}.partial")
        try:
            with replacing(self.stack) as partial:
                made.mkdir()
                with partial.open("w+b") as self.file:
                    self.made = made
                    yield self
                    _head(self.file, (len(self.lines), *self.shape))
                    self.file.truncate(self.file.tell() + 4 * len(self.lines) * math.prod(self.shape))  # if interrupted
                    self.file.seek(0)
                    digest = hashlib.file_digest(self.file, "sha256").hexdigest()
                words = [f"# {mark(self.command)}", *self.lines, f"{digest}  ../{self.stack.name}", ""]
                (made / SUMS).write_text("\n".join(words), encoding="utf-8", errors="surrogateescape")
            self.folder.mkdir(exist_ok=True)
            for path in self._there():
                path.unlink()
            for name in (*(line.split("  ")[1] for line in self.lines), SUMS):
                (made / name).replace(self.folder / name)
        except OSError as error:
            raise ZooError(f"{self.folder}: cannot be written ({error.strerror or error})") from error
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def add(self, depth: Depth) -> None:
        """The next frame, (H, W) metres, of the size of the first."""
        if not self.lines:
            self.shape = depth.shape
            _head(self.file, (0, *self.shape))
        name = f"{len(self.lines):06}{picture.RAW[self.kind]}"
        content = picture.raw(depth, self.kind, mark(self.command))
        (self.made / name).write_bytes(content)
        self.file.write(np.ascontiguousarray(depth, "<f4").data)
        self.lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}")


def _head(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The header of an .npy at the file's beginning. NumPy leaves room in it for the first axis to grow, so it can be written
    again when the number of frames is known."""
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})


def _listed(sums: Path, command: str) -> Ours:
    """Whether a list of digests with the mark of this command names the digest of a file."""

    @cache
    def said() -> list[str]:
        return read_bounded(sums).decode(errors="surrogateescape").splitlines()

    def ours(path: Path) -> bool:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = path.name if path.parent == sums.parent else f"../{path.name}"
        return said()[:1] == [f"# {mark(command)}"] and f"{digest}  {name}" in found()

    @cache
    def found() -> frozenset[str]:
        return frozenset(said())

    return ours
