"""zoo predict for very many pictures, and how what was left out or failed is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .. import console
from ..errors import ZooError

if TYPE_CHECKING:
    from ..camera.lens import Lens
    from ..inference.backends import Runtime
    from ..inference.batch import Row
    from ..inference.job import OnProgress
    from ..inference.sources import Left

SHOWN = 20  # failures of a bulk job that are told one by one; the index has all of them


def remark(remarks: list[str]) -> None:
    """Say how pictures were read where that is not plain: of the first few, and of how many in all."""
    for remark in remarks[:SHOWN]:
        console.warn("note:", remark)
    if len(remarks) > SHOWN:
        console.warn("note:", f"{len(remarks)} such pictures in all")


def say_of(runtime: Runtime, lens: Lens) -> None:
    """Say what is to be known of a runtime, and where a camera was calibrated with other weights."""
    if runtime.remark:
        console.warn(runtime.remark)
    known = lens.known and lens.known.calibration
    if known and (note := known.remark(runtime.model, runtime.weights)):
        console.warn("note:", note)


def left(others: list[Left]) -> list[Row]:
    """What was left out, as rows."""
    return [{"source": str(each.path), "status": f"left out: {each.reason}"} for each in others]


def name(left: list[Left]) -> None:
    """Name what folders hold and was left out: the first few, and how many in all."""
    for each in left[:SHOWN]:
        console.warn("left out:", f"{each.path}: {each.reason}")
    if len(left) > SHOWN:
        console.warn("left out:", f"{len(left)} in all")


def complain(failed: list[Row]) -> None:
    """Say what failed: the first few, and how many more; the end, if anything did."""
    for row in failed[:SHOWN]:
        console.complain(row["status"])
    if len(failed) > SHOWN:
        console.complain(f"and {len(failed) - SHOWN} more, each with its reason in the index")
    if failed:
        raise typer.Exit(2)


def many(
    sources: list[str],
    model: str,
    artifact: Path | None,
    out: Path,
    threads: int,
    engine: str,
    workers: int | None,
    shard: str | None,
    limit: int | None,
    recursive: bool,
    bits: int | None,
    lens: Lens,
    overwrite: bool,
    json: bool,
) -> None:
    """`zoo predict --engine`."""
    from ..files import alone
    from ..inference import backends as runtimes
    from ..inference import engines
    from ..inference.batch import Bulk, Index, Worker
    from ..inference.sources import left_out

    engines.check(engine)
    if workers and engine != "ray":
        raise ZooError("--workers goes with --engine ray; without Ray, run several with --shard I/N each")
    bulk = Bulk.plan(sources, out, shard, limit, recursive)
    bulk.claim(overwrite=overwrite)
    others = left_out(sources, recursive, out)
    folder = Path(model)
    place = str(folder.resolve()) if folder.is_dir() else model
    make = partial(Worker, place, artifact.resolve() if artifact else None, threads, Path.cwd(), out, bits, lens)
    runtime = runtimes.find(model, artifact, threads)  # so that a mistake is told before workers start
    failed: list[Row] = []
    remarks: list[str] = []
    kept = 0
    began = time.perf_counter()

    def watched(rows: Iterator[Row], on_progress: OnProgress) -> Iterator[Row]:
        nonlocal kept
        for done, row in enumerate(rows, 1):
            kept += row.pop("kept")
            if row["status"] != "ok":
                failed.append(row)
            elif row.get("remarks"):
                remarks.append(f"{row['source']}: {row['remarks']}")
            on_progress(Path(row["source"]).name, done, len(bulk.work))
            yield row

    with alone(bulk.index), console.progress("depth") as on_progress:
        rows = engines.process(bulk, make) if engine == "process" else engines.on_ray(bulk, make, workers, threads)
        Index(bulk.index).write(watched(rows, on_progress))
    seconds = time.perf_counter() - began
    written = len(bulk.work) - kept - len(failed)
    counts = {"pictures": len(bulk.work), "written": written, "kept": kept, "failed": len(failed)}
    if json:
        facts = {"index": str(bulk.index), "model": runtime.model, "runtime": runtime.name, "engine": engine}
        console.show_json(facts | counts | {"left_out": left(others), "seconds": seconds})
    else:
        said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        console.out.print(
            f"{console.plain(str(bulk.index))}: {said}; {len(bulk.work) / seconds:.1f} pictures/s", soft_wrap=True
        )
        say_of(runtime, lens)
    remark(remarks)
    name(others)
    complain(failed)
