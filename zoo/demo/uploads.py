"""The page's files: what was uploaded and what was made of it, in one private folder that goes with the process."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import ZooError

PREFIX = "fastdepth-page-"
KEPT = 3600  # seconds that anything is kept after its last use
MOST = 2 * 2**30  # bytes kept
MOST_FOLDERS = 2000
BLOCK = 4096  # bytes that the smallest file takes on a disk
ABANDONED = 60  # seconds after which a folder that nobody holds was left by a process that was killed
FOREIGN = "this file was not uploaded here, or is no longer kept: upload it again"


class Uploads:
    """A temporary folder that holds a bounded amount, and the one judgement of which files a request may name.

    In it each upload and each result has a folder of its own; those longest unused go first. What lies under `lasting`
    stays."""

    def __init__(self, most: int = MOST) -> None:
        """`most`: bytes to keep, besides what is lasting."""
        sweep()
        self.root = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        self.name = str(self.root)
        self.lasting = self.root / "lasting"
        self.lasting.mkdir(mode=0o700)
        self.most = most
        self._held = _hold(self.root)
        weakref.finalize(self, shutil.rmtree, self.root, ignore_errors=True)
        self._one_at_a_time = threading.Lock()

    def new(self) -> Path:
        """An empty folder of one's own, once there is room."""
        self.tidy()
        return Path(tempfile.mkdtemp(dir=self.root))

    def add(self, name: str, content: BinaryIO) -> Path:
        """Keep an upload. Only the end of its name is taken, and of that what is a letter, a digit, or `._ -`."""
        last = re.sub(r"[^\w. -]", "", re.split(r"[/\\]", name)[-1])[-50:].strip(". ")
        path = self.new() / (last or "upload")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            shutil.copyfileobj(content, file)
        return path

    def find(self, path: object) -> Path:
        """The regular file in the folder at this path, which is thereby used. Raises ZooError, in the same words whatever
        else is or is not there: what lies outside is not even looked at."""
        try:
            if not isinstance(path, str) or not (asked := Path(path)).is_relative_to(self.root) or ".." in asked.parts:
                raise ZooError(FOREIGN)
            if asked.resolve(strict=True) != asked or not stat.S_ISREG(asked.lstat().st_mode):
                raise ZooError(FOREIGN)
            os.utime(self.root / asked.relative_to(self.root).parts[0])
        except (OSError, ValueError) as error:  # ValueError: no path at all, such as one with a zero byte
            raise ZooError(FOREIGN) from error
        return asked

    def has(self, path: object) -> bool:
        """Whether `find` finds it."""
        try:
            self.find(path)
        except ZooError:
            return False
        return True

    def check(self, data: Any) -> None:
        """Every file that decoded JSON names, at whatever depth, is one of this folder's. Raises ZooError.

        To Gradio an object with a `path` is a file, which it would copy, or fetch from another server, before the page's
        function is called."""
        left = [data]
        while left:
            item = left.pop()
            if isinstance(item, dict):
                if item.get("path") is not None:
                    self.find(item["path"])
                left.extend(item.values())
            elif isinstance(item, list | tuple):
                left.extend(item)

    def tidy(self) -> None:
        """Remove what was not used for an hour, and then the longest unused until no more than `most` is kept."""
        with self._one_at_a_time:
            passing = []
            for folder in self.root.iterdir():
                with contextlib.suppress(OSError):  # Gradio may be making it
                    if folder != self.lasting:
                        parts = [part.lstat() for part in (folder, *folder.iterdir())]
                        passing.append(
                            (max(p.st_mtime for p in parts), sum(max(p.st_size, BLOCK) for p in parts), folder)
                        )
            passing.sort()
            kept = sum(size for _, size, _ in passing)
            for i, (used, size, folder) in enumerate(passing):
                if used > time.time() - KEPT and kept <= self.most and len(passing) - i < MOST_FOLDERS:
                    break
                shutil.rmtree(folder, ignore_errors=True)
                kept -= size

    def cleanup(self) -> None:
        """Remove the folder and all that is in it. It is renamed first, so that nobody who still writes adds to it."""
        gone = self.root.with_name(f"{self.root.name}-gone")
        with contextlib.suppress(OSError):
            self.root.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def sweep() -> None:
    """Remove the folders of processes that were killed: those of this user's that nobody holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_mtime < time.time() - ABANDONED and (held := _hold(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)


def _hold(folder: Path) -> int | None:
    """Lock a folder as long as this process lives; None where the system cannot. Raises OSError if another process holds it,
    or if it is not this user's own."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(held).st_uid != os.getuid():
            raise PermissionError
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held
