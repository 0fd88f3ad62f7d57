"""A great many pictures: bare depth for each, 16-bit PNG in millimetres, and one Parquet index over all.

A depth file says in its own header what it was made with and what is in it. So finished work is known by the files alone:
a job that was stopped, or whose workers were killed, goes on when it is started again, and its index comes out the same.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .. import image, outputs
from ..errors import ZooError
from ..files import opened, put, replacing
from . import backends as runtimes
from .sources import expand, shard

COMMAND = "predict"
KEY = "fastdepth-zoo"  # of the PNG header's text
METRES = 0.001  # per unit; 65.535 m at most
QUICK = 1  # of zlib's levels: its default takes twice as long as the network, for files a sixth smaller
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
            target = place.with_name(f"{place.name}.depth.png")
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
        targets = [(self.out / target, lambda path: finished(path) is not None) for _, target in self.work]
        sources = (Path(source) for source, _ in self.work)
        outputs.claim([*targets, (self.index, outputs.marked(COMMAND))], sources, overwrite=overwrite)

    def batches(self) -> list[list[tuple[str, str]]]:
        """The work in portions, one to a call of a worker."""
        return [self.work[i : i + BATCH] for i in range(0, len(self.work), BATCH)]


class Worker:
    """Reads, predicts and writes. One is built per process, by whatever engine runs it."""

    def __init__(
        self, model: str, artifact: Path | None, threads: int, root: Path, out: Path, bits: int | None = None
    ) -> None:
        """`root` is what paths of pictures are meant from, wherever this process runs; `out` has the depths."""
        self.runtime = runtimes.find(model, artifact, threads)
        self.root, self.out, self.bits = root, root / out, bits

    def __call__(self, batch: Iterable[tuple[str, str]]) -> list[Row]:
        """(picture, depth file) pairs -> a row each, `status` "ok" or what is wrong with the picture."""
        return [self.row(source, target) for source, target in batch]

    def row(self, source: str, target: str) -> Row:
        """One picture's row; `kept` if its depth was there already, from the same weights."""
        path = self.out / target
        named = {"source": source, "model": self.runtime.model, "weights_sha256": self.runtime.weights}
        facts = finished(path)
        kept = facts is not None and facts["weights_sha256"] == self.runtime.weights and facts.get("bits") == self.bits
        try:
            if not kept:
                facts = self._make(self.root / source, path)
            return named | {"depth": target, "status": "ok", "kept": kept} | (facts or {})
        except ZooError as error:
            return named | {"status": str(error).replace(f"{self.root}/", ""), "kept": False}

    def _make(self, source: Path, target: Path) -> Row:
        pixels, remarks = image.read_with_remarks(source, bits=self.bits)
        depth = self.runtime.predict(pixels)
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
        } | ({"bits": self.bits} if self.bits else {})
        header, buffer = PngInfo(), BytesIO()
        header.add_text(KEY, json.dumps(facts))
        Image.fromarray(units).save(buffer, "PNG", pnginfo=header, compress_level=QUICK)
        put(target, buffer.getvalue())
        return facts


def finished(path: Path) -> Row | None:
    """What a depth file's header says; None if there is no such file, or it is not one of ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large pictures have large depths
            with opened(path) as content, Image.open(content, formats=["PNG"]) as file:
                facts: Row = json.loads(file.info[KEY])
    except (ZooError, OSError, KeyError, ValueError, TypeError, Image.DecompressionBombError):
        return None
    return facts if isinstance(facts, dict) and "weights_sha256" in facts else None


class Index:
    """The Parquet file over all depths: a row per picture, in order; it appears when the last row is in."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        text, number, count = pa.string(), pa.float64(), pa.int32()
        columns = {"source": text, "depth": text, "height": count, "width": count}
        columns |= dict.fromkeys(("metres_per_unit", "min_m", "median_m", "max_m"), number)
        columns |= dict.fromkeys(("status", "model", "weights_sha256", "runtime", "remarks"), text)
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
                waiting.append(row)
                if len(waiting) == ROWS:
                    writer.write_table(pa.Table.from_pylist(waiting, self.schema))
                    waiting.clear()
            writer.write_table(pa.Table.from_pylist(waiting, self.schema))
