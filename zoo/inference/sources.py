"""What a person names, as pictures: files, folders, globs and lists."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from ..errors import ZooError
from ..files import get

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm")


def expand(sources: list[str]) -> dict[Path, Path]:
    """{picture: its place below its source}, each picture once: files as they are, folders and globs in order of name,
    a .txt file as one path a line. A picture of a folder has its place below that folder, any other its own path."""
    found: dict[Path, Path] = {}
    for source in sources:
        path = Path(source)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
            if not inside:
                raise ZooError(f"{path}: no pictures in this folder ({', '.join(PICTURES)})")
            found |= {p: p.relative_to(path) for p in inside}
        elif not path.exists() and glob.has_magic(source):
            matches = sorted(Path(match) for match in glob.glob(source, recursive=True))  # noqa: PTH207 (absolute patterns too)
            if not matches:
                raise ZooError(f"{source}: nothing matches")
            found |= {p: _place(p) for p in matches}
        elif path.suffix.lower() == ".txt" and path.is_file():
            found |= {p: _place(p) for p in _listed(path)}
        else:
            found[path] = _place(path)
    return found


def _listed(path: Path) -> list[Path]:
    try:
        lines = get(path).decode().splitlines()
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
