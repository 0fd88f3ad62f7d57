"""A great many pictures: bare depth for each, 16-bit PNG in millimetres, and one Parquet index over all.

A depth file says in its own header what it was made of, what with, and what is in it. So finished work is known by the files
alone: a job that was stopped, or whose workers were killed, goes on when it is started again, and its index comes out the
same. What is kept has been checked: the picture is still the one it was made of, and no byte of the depth is missing or wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .. import image, outputs
from ..camera.lens import Lens
from ..errors import ZooError
from ..files import opened, replacing, write_atomic
from . import backends as runtimes
from .sources import expand, shard

COMMAND = "predict"
KEY = "fastdepth-zoo"  # of the PNG header's text
METRES = 0.001  # per unit; 65.535 m at most
QUICK = 1  # of zlib's levels: its default takes twice as long as the network, for files a sixth smaller
SUFFIX = ".depth.png"
LONGEST = 255  # bytes of a file's name, on all systems that matter
FACTS = {  # what a header says, and of which type
    **dict.fromkeys(("height", "width", "source_bytes"), int),
    **dict.fromkeys(("metres_per_unit", "min_m", "median_m", "max_m", "source_mtime_s", "degrees"), float),
    **dict.fromkeys(("model", "weights_sha256", "runtime", "source_sha256", "camera"), str),
}
OPTIONAL = ("bits", "remarks", "lens")
ROWS = 10_000  # of the index, written at a time
BATCH = 32  # pictures that a worker is handed at a time
Row = dict[str, Any]


@dataclass(frozen=True)
class Bulk:
    """What to read and where to write, in order: (picture, its depth file below `out`), and the index."""

    work: list[tuple[str, str]]
    out: Path
    index: Path

    @classmethod
    def plan(
        cls, sources: list[str], out: Path, part: str | None = None, limit: int | None = None, recursive: bool = False
    ) -> Bulk:
        """Every picture's file in `out`: its place below its source, with `.depth.png` after its name. Raises ZooError
        where two pictures have the same place."""
        owners: dict[Path, Path] = {}
        for path, place in expand(sources, recursive, out).items():
            target = place.with_name(_depth_name(place.name))
            if owner := owners.get(target):
                raise ZooError(
                    f"{out / target}: {owner} and {path} would both be written there; give each an -o of its own"
                )
            owners[target] = path
        chosen = shard({path: target for target, path in owners.items()}, part, limit)
        name = "index.parquet" if part is None else f"index-{part.replace('/', '-of-')}.parquet"
        return cls([(str(path), str(target)) for path, target in chosen.items()], out, out / name)

    def claim(self, *, overwrite: bool = False) -> None:
        """Raise ZooError where something of the user's would be overwritten."""
        targets = [(self.out / target, _ours) for _, target in self.work]
        sources = (Path(source) for source, _ in self.work)
        outputs.claim([*targets, (self.index, outputs.marked(COMMAND))], sources, overwrite=overwrite)

    def batches(self) -> list[list[tuple[str, str]]]:
        """The work in portions, one to a call of a worker."""
        return [self.work[i : i + BATCH] for i in range(0, len(self.work), BATCH)]


class Worker:
    """Reads, predicts and writes. One is built per process, by whatever engine runs it."""

    def __init__(
        self,
        model: str,
        artifact: Path | None,
        threads: int,
        root: Path,
        out: Path,
        bits: int | None = None,
        lens: Lens | None = None,
    ) -> None:
        """`root` is what paths of pictures are meant from, wherever this process runs; `out` has the depths."""
        self.runtime = runtimes.find(model, artifact, threads)
        self.root, self.out, self.bits, self.lens = root, root / out, bits, lens or Lens()

    def __call__(self, batch: Iterable[tuple[str, str]]) -> list[Row]:
        """(picture, depth file) pairs -> a row each, `status` "ok" or what is wrong with the picture."""
        return [self.row(source, target) for source, target in batch]

    def row(self, source: str, target: str) -> Row:
        """One picture's row; `kept` if its depth was there already, whole, of the same picture and from the same weights."""
        path, given = self.out / target, self.root / source
        named = {"source": source, "model": self.runtime.model, "weights_sha256": self.runtime.weights}
        named |= (origin := of_source(given))
        facts = finished(path)
        same = facts and all(facts[key] == named.get(key) for key in ("weights_sha256", "source_sha256"))
        as_asked = {"bits": self.bits, "lens": self.lens.word}
        kept = facts is not None and bool(same) and as_asked.items() <= facts.items() and intact(path)
        try:
            facts = facts if kept else self._make(given, path, origin)
            return named | {"depth": target, "status": "ok", "kept": kept} | (facts or {}) | origin
        except ZooError as error:
            return named | {"status": str(error).replace(f"{self.root}/", ""), "kept": False}

    def _make(self, source: Path, target: Path, origin: Row) -> Row:
        pixels, remarks = image.read_with_remarks(source, bits=self.bits)
        camera = self.lens.camera(pixels.shape[1], pixels.shape[0], image.exif(source))
        depth = self.runtime.predict.depth(pixels, camera)
        units = np.clip(depth / METRES, 0, 65535).round().astype(np.uint16)
        low, middle, high = (round(float(value) * METRES, 4) for value in np.percentile(units, (0, 50, 100)))
        facts = {
            "height": units.shape[0],
            "width": units.shape[1],
            "metres_per_unit": METRES,
            "min_m": low,
            "median_m": middle,
            "max_m": high,
            "model": self.runtime.model,
            "weights_sha256": self.runtime.weights,
            "runtime": self.runtime.name,
            "remarks": "; ".join(remarks) or None,
            "bits": self.bits,
            "lens": self.lens.word,
            "camera": camera.origin,
            "degrees": camera.degrees,
        } | origin
        header, buffer = PngInfo(), BytesIO()
        header.add_text(KEY, json.dumps(facts))
        Image.fromarray(units).save(buffer, "PNG", pnginfo=header, compress_level=QUICK)
        write_atomic(target, buffer.getvalue())
        return facts


def of_source(path: Path) -> Row:
    """Size, time and digest of a picture's file, as it is before it is read; nothing if it cannot be, which reading tells."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return {}
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return {}
    return {"source_bytes": found.st_size, "source_mtime_s": found.st_mtime, "source_sha256": digest}


def finished(path: Path) -> Row | None:
    """What a depth file's header says; None if there is no such file, or it is not one of ours, or says it wrongly."""
    try:
        with _opened(path) as file:
            found = json.loads(file.info[KEY])
            facts = {name: found[name] for name in FACTS} | {name: found.get(name) for name in OPTIONAL}
            size = (facts["width"], facts["height"])
            "".join(value for value in facts.values() if isinstance(value, str)).encode()  # fit for the index
            right = size == file.size and all(type(facts[name]) is kind for name, kind in FACTS.items())
            right = right and isinstance(facts["remarks"], str | None)
    except Exception:  # Pillow raises whatever its parsing trips over, and the text may be anything
        return None
    return facts if right else None


def intact(path: Path) -> bool:
    """Whether a depth file is complete and every part of it has its checksum."""
    try:
        with _opened(path) as file:
            file.verify()
    except Exception:  # as above
        return False
    return True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large pictures have large depths
        with opened(path) as content, Image.open(content, formats=["PNG"]) as file:
            yield file


def _ours(path: Path) -> bool:
    """Whether a file begins as a depth file does, be it cut or damaged further on."""
    with path.open("rb") as file:
        return f"{KEY}\0".encode() in file.read(256)


def _depth_name(name: str) -> str:
    """The name of a picture with the suffix of a depth file; where that is too long, cut and with a digest of the whole."""
    whole, most = os.fsencode(name), LONGEST - len(SUFFIX)
    if len(whole) <= most:
        return name + SUFFIX
    digest = hashlib.sha256(whole).hexdigest()[:16]
    return whole[: most - 17].decode(errors="ignore") + f"-{digest}{SUFFIX}"


def readable(name: str) -> str:
    """A file's name as text: its bytes in UTF-8, those that are none as `\\xe9`."""
    return os.fsencode(name).decode(errors="backslashreplace")


class Index:
    """The Parquet file over all depths: a row per picture, in order; it appears when the last row is in."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        text, number, count = pa.string(), pa.float64(), pa.int32()
        columns = {"source": text, "depth": text, "height": count, "width": count}
        columns |= dict.fromkeys(("metres_per_unit", "min_m", "median_m", "max_m"), number)
        columns |= dict.fromkeys(("status", "model", "weights_sha256", "runtime", "remarks", "camera"), text)
        columns |= {"degrees": number}
        columns |= {"source_bytes": pa.int64(), "source_mtime_s": number, "source_sha256": text}
        self.schema, self.path = pa.schema(columns.items(), {"software": outputs.mark(COMMAND)}), path

    def write(self, rows: Iterable[Row]) -> None:
        """Write all rows; nothing is left behind if they end in an error."""
        import pyarrow as pa
        from pyarrow import parquet

        waiting: list[Row] = []
        with (
            replacing(self.path) as partial,
            partial.open("wb") as file,  # and no path, which would have to be UTF-8
            parquet.ParquetWriter(file, self.schema, compression="zstd") as writer,
        ):
            for row in rows:
                waiting.append(
                    {key: readable(value) if isinstance(value, str) else value for key, value in row.items()}
                )
                if len(waiting) == ROWS:
                    writer.write_table(pa.Table.from_pylist(waiting, self.schema))
                    waiting.clear()
            writer.write_table(pa.Table.from_pylist(waiting, self.schema))
