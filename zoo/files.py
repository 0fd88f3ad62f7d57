"""Reading files of bounded size, and writing them so that each appears whole or not at all."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .errors import ZooError

LARGEST = 2**28  # bytes: of any checkpoint of this family, and of anything in it


def get(path: Path, most: int = LARGEST) -> bytes:
    """What is in a file of at most so many bytes. Raises ZooError."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ZooError(f"{path}: not a file")
        if size > most:
            raise ZooError(f"{path}: larger than {most >> 20} MiB, which nothing of FastDepth is")
        return path.read_bytes()
    except OSError as error:
        raise ZooError(f"{path}: {error.strerror or error}") from error


def put(path: Path, content: bytes) -> None:
    """Write a file, in a folder that is made if need be. Raises ZooError, and leaves nothing, where it cannot be written."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # if it is a link, what it leads to is not ours
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise ZooError(f"{path}: cannot be written ({error.strerror or error})") from error
