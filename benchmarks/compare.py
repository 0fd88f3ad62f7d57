"""What this project's networks do here, beside what people would pick instead; rendered with rich.

    python benchmarks/compare.py                                    both networks, every runtime installed, 1 and 2 threads
    python benchmarks/compare.py --runtimes zoo,onnxruntime --threads 1
    python benchmarks/compare.py --json rows.jsonl                  keep the rows as JSON lines
    python benchmarks/compare.py --against rows.jsonl               exit code 1 if something got slower beyond noise
    python benchmarks/compare.py --show rows.jsonl                  tables from kept rows, nothing measured

Peers: pip install -c constraints.txt -e '.[bench]'. A peer that is not installed is a row that says so.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import against, measure, tables  # noqa: E402
from benchmarks.conditions import machine  # noqa: E402
from benchmarks.runtimes import NAMES, Job  # noqa: E402
from zoo import console  # noqa: E402
from zoo.errors import ZooError  # noqa: E402
from zoo.files import write_atomic  # noqa: E402
from zoo.kernels.device import Device  # noqa: E402
from zoo.kernels.errors import KernelError  # noqa: E402

NEEDED = {
    "model",
    "runtime",
    "threads",
    "status",
    "dtype",
    "load",
    "hardware",
    "governor",
    "date",
    "commit",
    *measure.RESULTS,
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python benchmarks/compare.py --runtimes zoo,onnxruntime,openvino-f32 --threads 1,2")
def compare(
    models: Annotated[str, typer.Option(help="Variants with weights, comma-separated.")] = "fastdepth_pruned,fastdepth",
    runtimes: Annotated[str, typer.Option(help=f"Of {', '.join(NAMES)}.")] = ",".join(NAMES),
    threads: Annotated[str, typer.Option(help="Numbers of threads, comma-separated.")] = "1,2",
    device: Annotated[str, typer.Option(help="What to compile our kernels for (zoo devices).")] = "host",
    json_: Annotated[Path | None, typer.Option("--json", help="File to write the rows to, as JSON lines.")] = None,
    against_: Annotated[Path | None, typer.Option("--against", help="Rows kept earlier, to compare with.")] = None,
    show: Annotated[Path | None, typer.Option(help="Rows kept earlier, to show instead of measuring.")] = None,
) -> None:
    """Compare runtimes on this machine, and show what was published and measured elsewhere."""
    warnings.simplefilter("ignore")  # exporters warn of each other
    earlier = _read(against_) if against_ else []
    if show:
        rows = _read(show)
        if against_:
            against.check(str(against_), earlier, rows[0]["hardware"])
    else:
        chosen = _known(models, _variants(), "model"), _known(runtimes, NAMES, "runtime"), _counts(threads)
        target = _device(device)
        if json_ and not json_.parent.is_dir():
            raise ZooError(f"--json {json_}: there is no folder {json_.parent}")
        if against_:
            against.check(str(against_), earlier, machine()["hardware"])
        rows = _measure(*chosen, target)
        if json_:
            write_atomic(json_, "".join(json.dumps(row) + "\n" for row in rows).encode())
    tables.speed(rows)
    tables.accuracy()
    tables.published()
    tables.devices()
    if against_ and against.report(earlier, rows):
        raise typer.Exit(1)


def _measure(models: list[str], names: list[str], counts: list[int], target: Device) -> list[measure.Row]:
    from zoo.kernels.bench.peak import peak

    rows: list[measure.Row] = []
    with console.progress("comparing") as on_progress:
        jobs = measure.jobs(models, counts, target.name, ROOT / "build" / "compare")
        status = measure.prepare(jobs, names, on_progress)
        limits = {count: peak(target, count).gmacs for count in counts}
        for i, job in enumerate(jobs):

            def part(what: str, done: int, total: int, i: int = i, job: Job = job) -> None:
                text = f"{job.model}, {job.threads} thread{'s' * (job.threads > 1)}: {what}"
                on_progress(text, i * 100 + done * 100 // total, len(jobs) * 100)

            rows += measure.speed(job, status, names, limits[job.threads], part)
    return rows


def _device(name: str) -> Device:
    from zoo.kernels.device import device

    target = device(name)
    if not target.runs_here:
        raise ZooError(
            f"--device {name}: this machine cannot run what is compiled for it; zoo devices says what it can"
        )
    return target


def _variants() -> list[str]:
    from zoo.variant import catalogue

    return [variant.name for variant in catalogue() if variant.weights]


def _known(text: str, known: list[str] | dict[str, str], what: str) -> list[str]:
    given = list(dict.fromkeys(text.split(",")))
    for name in given:
        if name not in known:
            raise ZooError(f"unknown {what} {name!r}; there are {', '.join(known)}")
    return given


def _counts(text: str) -> list[int]:
    if not all(part.isdecimal() and 1 <= int(part) <= 64 for part in text.split(",")):
        raise ZooError(f"--threads {text}: give numbers from 1 to 64, such as 1,2")
    return list(dict.fromkeys(int(part) for part in text.split(",")))


def _read(path: Path) -> list[measure.Row]:
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if not rows:
            raise ValueError("it is empty")
        for row in rows:
            if missing := NEEDED - row.keys():
                raise ValueError(f"a row lacks {', '.join(sorted(missing))}")
    except OSError as error:
        raise ZooError(f"{path}: {error.strerror or error}") from error
    except (ValueError, AttributeError) as error:
        raise ZooError(f"{path}: not rows that --json wrote ({error})") from error
    return rows


if __name__ == "__main__":
    try:
        app()
    except (ZooError, KernelError) as error:
        console.complain(str(error))
        sys.exit(2)
