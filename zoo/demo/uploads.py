"""The page's files: what was uploaded and what was made of it, in one private folder that goes with the process."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import ZooError

FOREIGN = "this file was not uploaded here, or is no longer kept: upload it again"


class Uploads:
    """A temporary folder, and the one judgement of which files a request may name."""

    def __init__(self) -> None:
        self._held = tempfile.TemporaryDirectory(prefix="fastdepth-zoo-", ignore_cleanup_errors=True)
        self.root = Path(self._held.name).resolve()
        self.name = str(self.root)

    def new(self) -> Path:
        """An empty folder of one's own."""
        return Path(tempfile.mkdtemp(dir=self.root))

    def add(self, name: str, content: BinaryIO) -> Path:
        """Keep an upload. Only the end of its name is taken, and of that what is a letter, a digit, or `._ -`."""
        last = re.sub(r"[^\w. -]", "", re.split(r"[/\\]", name)[-1])[-100:].strip(". ")
        path = self.new() / (last or "upload")
        with path.open("xb") as file:
            path.chmod(0o600)
            shutil.copyfileobj(content, file)
        return path

    def find(self, path: object) -> Path:
        """The regular file in the folder at this path. Raises ZooError, in the same words whatever else is or is not there:
        what lies outside is not even looked at."""
        try:
            if not isinstance(path, str) or not (asked := Path(path)).is_relative_to(self.root) or ".." in asked.parts:
                raise ZooError(FOREIGN)
            if asked.resolve(strict=True) != asked or not stat.S_ISREG(asked.lstat().st_mode):
                raise ZooError(FOREIGN)
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

    def cleanup(self) -> None:
        """Remove the folder and all that is in it."""
        self._held.cleanup()
