"""Writing files: each appears whole or not at all."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .errors import ZooError


def put(path: Path, content: bytes) -> None:
    """Write a file, in a folder that is made if need be. Raises ZooError, and leaves nothing, where it cannot be written."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise ZooError(f"{path}: cannot be written ({error.strerror or error})") from error
