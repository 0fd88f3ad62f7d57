"""Where a command may write: never over an input, never twice in one place, and over a file only if it wrote that itself.

Whether it did, the file says: every output has a mark where its format has room for a word about its maker, such as
`Software` in a picture. What is compared are places and files, not their names: links, `..`, and letters of another case
where the file system takes them for the same.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .errors import ZooError

ENDS = 2**20  # bytes at either end of a file that hold its mark, if it has one
Ours = Callable[[Path], bool]  # whether the command that asks has written this file


def mark(command: str) -> str:
    """What a file says that a command of `zoo` wrote."""
    return f"fastdepth-zoo {command}"


def marked(command: str) -> Ours:
    """Whether a file has the mark of this command."""
    return lambda path: mark(command).encode() in _ends(path)


def vouched(command: str, by: Path) -> Ours:
    """Whether `by`, a file with the mark of this command, names the sha256 of a file that has no room for a mark."""

    def ours(path: Path) -> bool:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        said = _ends(by)
        return mark(command).encode() in said and digest.encode() in said

    return ours


def claim(targets: Sequence[tuple[Path, Ours]], sources: Iterable[Path] = (), *, overwrite: bool = False) -> None:
    """Raise ZooError, before anything is written, unless every target may be: it is no source and no other target, and
    what is there already is a file of ours; with `overwrite`, any file. A link is the user's: replaced, never followed."""
    inputs = {_file(source) for source in sources} - {None}
    folders: dict[Path, tuple[Path, tuple[str, ...]]] = {}
    taken: dict[tuple[object, ...], list[tuple[str, ...]]] = {}
    for path, _ in targets:
        if _file(path) in inputs:
            raise ZooError(f"{path}: is the input; choose another place to write to")
        if path.parent not in folders:
            folders[path.parent] = _place(path.parent)
        folder, missing = folders[path.parent]
        names = (*missing, path.name)
        rivals = taken.setdefault((folder, *map(_alike, names)), [])
        if names in rivals or (rivals and _folds(folder)):
            raise ZooError(f"{path}: two outputs would be written there; choose an output for each")
        rivals.append(names)
    for path, ours in targets:
        _check(path, ours, overwrite)


def _check(path: Path, ours: Ours, overwrite: bool) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError:  # nothing is there; or writing will say why it cannot be
        return
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise ZooError(
            f"{path}: is {'a folder' if stat.S_ISDIR(mode) else 'no file'}; choose another place to write to"
        )
    if overwrite:
        return
    try:
        mine = stat.S_ISREG(mode) and ours(path)
    except (OSError, ValueError, ZooError):
        mine = False
    if not mine:
        raise ZooError(f"{path}: exists, and this command did not write it; choose another place, or --overwrite")


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(ENDS)
        file.seek(max(file.tell(), path.stat().st_size - ENDS))
        return head + file.read(ENDS)


def _file(path: Path) -> tuple[int, int] | None:
    """What tells one file from another, whatever leads to it; None if it is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _place(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """(the nearest folder that exists, the folders still to be made below it), without links and `..`."""
    there = Path(os.path.realpath(folder))
    missing: list[str] = []
    while not there.exists() and there != there.parent:
        missing.append(there.name)
        there = there.parent
    return there, tuple(reversed(missing))


def _alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _folds(folder: Path) -> bool:
    """Whether names in a folder that differ in case alone are one; the file system is asked with a file of that moment."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".case-", dir=folder) as file:
            there = Path(file.name)
            return there.with_name(there.name.upper()).exists()
    except OSError:
        return False
