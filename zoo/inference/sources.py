"""What a person names, as pictures: files, folders, globs and lists."""

from __future__ import annotations

import errno
import glob
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..errors import ZooError
from ..files import read_bounded

DEPTHS = Path("depth")  # the folder to write to where none is named
NAMED = 3  # files left out that an error names


@dataclass(frozen=True)
class Left:
    """What a folder holds that is no picture, or is not looked into, and why."""

    path: Path
    reason: str


def expand(sources: list[str], recursive: bool = False, out: Path | None = None) -> dict[Path, Path]:
    """{picture: its place below its source}, each picture once: files as they are, folders and globs in order of name,
    a .txt file as one path a line. A picture of a folder has its place below that folder, any other its own path.
    `recursive`: folders with the folders in them, but not through links, and not `out`, where depths are written."""
    found: dict[Path, Path] = {}
    for source in sources:
        path = Path(source)
        try:
            path.stat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # which pathlib does not take for an answer
                raise ZooError(f"{source}: {error.strerror}") from error
        except ValueError as error:  # a zero byte
            raise ZooError(f"{source!r}: no name of a file") from error
        if path.is_dir():
            inside, left = _inside(path, recursive, out)
            if not inside:
                named = [f"{each.path.name} ({each.reason})" for each in left[:NAMED]]
                named += [f"{len(left) - NAMED} more"] if len(left) > NAMED else []
                raise ZooError(f"{path}: no pictures in this folder" + (f", but {', '.join(named)}" if named else ""))
            found |= {p: p.relative_to(path) for p in inside}
        elif not path.exists() and glob.has_magic(source):
            matches = _matching(path, out)
            if not matches:
                raise ZooError(f"{source}: nothing matches")
            found |= {p: _place(p) for p in matches}
        elif path.suffix.lower() == ".txt" and path.is_file():
            found |= {p: _place(p) for p in _listed(path)}
        else:
            found[path] = _place(path)
    return found


def _matching(pattern: Path, out: Path | None) -> list[Path]:
    """What a glob matches, in order of name. `**` does not go through links to folders, whose loops have no end, nor into
    `out`, where depths are written; names that begin with a dot are matched by a dot alone."""
    parts = pattern.parts[bool(pattern.anchor) :]
    named = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    above = Path(pattern.anchor, *parts[:named]).resolve()
    written = out.resolve() if out and "**" in parts else above
    matches = Path(pattern.anchor or ".").glob(str(Path(*parts)))
    dots = any(part.startswith(".") for part in parts[named:])
    hidden = (
        p for p in matches if dots or not any(part.startswith(".") for part in p.parts[len(pattern.parts[:named]) :])
    )
    return sorted(p for p in hidden if written == above or written not in p.resolve().parents)


def left_out(sources: list[str], recursive: bool = False, out: Path | None = None) -> list[Left]:
    """What `expand` leaves out of the folders among the sources."""
    given = {*expand(sources, recursive, out), *map(Path, sources)}
    folders = [path for path in map(Path, sources) if path.is_dir()]
    return [left for path in folders for left in _inside(path, recursive, out, given)[1] if left.path not in given]


def _inside(
    folder: Path, recursive: bool, out: Path | None, given: Collection[Path] = ()
) -> tuple[list[Path], list[Left]]:
    """(pictures of a folder, what is left out of it beside those given), each in order of name."""
    from ..image import suffixes

    pictures, left, waiting = [], [], [folder]
    written = out and out.resolve()
    while waiting:
        here = waiting.pop()
        try:
            for path in here.iterdir():
                if not path.is_dir():
                    if path.suffix.lower() in suffixes():
                        pictures.append(path)
                    else:
                        left.append(Left(path, "not named like a picture"))
                elif path.is_symlink():
                    left.append(Left(path, "a link to a folder"))
                elif path.resolve() == written:
                    left.append(Left(path, "where depths are written"))
                elif recursive:
                    waiting.append(path)
                elif count := len(set(_inside(path, True, out)[0]).difference(given)):
                    left.append(Left(path, f"a folder, pictures in it: {count}; --recursive takes them"))
        except OSError as error:
            left.append(Left(here, error.strerror or str(error)))
    return sorted(pictures), sorted(left, key=lambda each: each.path)


def _listed(path: Path) -> list[Path]:
    try:
        lines = read_bounded(path).decode("utf-8-sig").splitlines()  # Windows begins a text with a mark
    except UnicodeDecodeError as error:
        raise ZooError(f"{path}: not a list of pictures; expected text, one path a line") from error
    if not any(lines):
        raise ZooError(f"{path}: an empty list; expected one path a line")
    return [Path(line) for line in lines if line]


def _place(path: Path) -> Path:
    """A path that leads nowhere but down."""
    return Path(*(part for part in path.parts if part not in (path.anchor, "..")))


def shard(found: dict[Path, Path], part: str | None, limit: int | None) -> dict[Path, Path]:
    """Every n-th picture from the i-th on (`part` is "i/n", i from 0), then the first `limit` of those."""
    chosen = list(found)
    if part is not None:
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", part)
        if not match or int(match[1]) >= int(match[2]):
            raise ZooError(f"--shard {part}: give I/N with I from 0 to N - 1, such as 0/4")
        chosen = chosen[int(match[1]) :: int(match[2])]
    return {path: found[path] for path in chosen[:limit]}
