"""Reading files of bounded size, and writing them so that each appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from .errors import ZooError

LOCKLESS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # from file systems that do not lock
LARGEST = 2**28  # bytes: of any checkpoint of this family, and of anything in it
IRREGULAR = "not a regular file; devices, FIFOs and sockets are not read"


def opened(path: Path, most: int | None = None) -> BufferedReader:
    """A regular file of at most so many bytes, to be read. What might never answer or never end (a FIFO, a device, a
    socket) is refused without waiting for it. Raises ZooError for all these, and OSError as `open` does."""
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115 (the caller closes it)
    if most is not None and os.fstat(file.fileno()).st_size > most:
        file.close()
        raise ZooError(f"{path}: {_limit(most)}")
    return file


def _at_once(path: str, flags: int) -> int:
    """A descriptor of a regular file. With these flags a FIFO that nobody writes to is open at once, and a terminal stays
    nobody's."""
    try:
        made = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device that is not there
            raise ZooError(f"{path}: {IRREGULAR}") from error
        raise
    if not stat.S_ISREG(os.fstat(made).st_mode) and not stat.S_ISDIR(os.fstat(made).st_mode):  # `open` names folders
        os.close(made)
        raise ZooError(f"{path}: {IRREGULAR}")
    return made


def check(path: Path) -> None:
    """Raise ZooError unless there is a regular file: for libraries that open a path by themselves."""
    try:
        opened(path).close()
    except OSError as error:
        raise ZooError(f"{path}: {error.strerror or error}") from error


def read_bounded(path: Path, most: int = LARGEST) -> bytes:
    """What is in a regular file of at most so many bytes. Raises ZooError."""
    try:
        with opened(path, most) as file:
            content = file.read(most + 1) or b""  # None where the kernel passes off a stream as a file, as in /proc
    except OSError as error:
        raise ZooError(f"{path}: {error.strerror or error}") from error
    if len(content) > most:  # it grew, or did not say how large it is
        raise ZooError(f"{path}: {_limit(most)}")
    return content


def _limit(most: int) -> str:
    return f"more than {most >> 20} MiB, which is the limit"


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file, in a folder that is made if need be. Raises ZooError, and leaves nothing, where it cannot be written."""
    with replacing(path) as partial:
        partial.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path, suffix: str = "") -> Iterator[Path]:
    """Where to write what is to become `path`: a name of its own in the same folder, so that of several writers each has one.
    When all is written it is on the disk before it has its name; after an error nothing is left. Raises ZooError."""
    partial = path.with_name(f".{uuid.uuid4().hex}.partial{suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise ZooError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Raise ZooError if another process, on any machine that sees locks of this file system, is at work on `path`."""
    import fcntl

    busy = f"{path}: another job is writing it; wait for its end, or choose another place"
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab")
    except OSError as error:
        raise ZooError(f"{path}: cannot be written ({error.strerror or error})") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ZooError(busy) from error
        except OSError as error:
            if error.errno not in LOCKLESS:
                raise ZooError(f"{lock}: cannot be locked ({error.strerror or error})") from error
        if not lock.exists() or not os.path.samestat(lock.stat(), os.fstat(file.fileno())):
            raise ZooError(busy)  # the other has just ended, and a third may have begun
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
