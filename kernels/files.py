"""Reading files that a user names: regular ones alone, as a device or a FIFO might never answer or never end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import KernelError

LARGEST = 2**28  # bytes
IRREGULAR = "not a regular file; devices, FIFOs and sockets are not read"


def opened(path: Path, mode: str = "rb") -> BinaryIO:
    """A regular file; what is none is refused without waiting for it. Raises KernelError."""

    def at_once(name: str, flags: int) -> int:
        """A descriptor. With these flags a FIFO that nobody writes to is open at once, a terminal stays nobody's."""
        made = os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
        if not (stat.S_ISREG(os.fstat(made).st_mode) or stat.S_ISDIR(os.fstat(made).st_mode)):  # `open` names folders
            os.close(made)
            raise KernelError(f"{path}: {IRREGULAR}")
        return made

    try:
        return open(path, mode, opener=at_once)  # type: ignore[return-value]  # the mode is a binary one
    except OSError as error:
        what = IRREGULAR if error.errno == errno.ENXIO else error.strerror or error  # ENXIO: a socket
        raise KernelError(f"{path}: {what}") from error


def read_bounded(path: Path) -> bytes:
    """What is in a regular file of at most 256 MiB. Raises KernelError."""
    with opened(path) as file:
        content = file.read(LARGEST + 1) or b""  # None where the kernel passes off a stream as a file, as in /proc
    if len(content) > LARGEST:
        raise KernelError(f"{path}: more than {LARGEST >> 20} MiB, which is the limit")
    return content
