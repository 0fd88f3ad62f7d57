"""Every layer of a network: compiled by this project, in ONNX Runtime, and what the machine allows at most.

    python benchmarks/layers.py --json benchmarks/results/layers-zen4.jsonl

ONNX Runtime's times are its profiler's. What it does between convolutions (doubling, adding, changing layouts) is counted to
the convolution that follows, where ours does it too.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import measure  # noqa: E402
from benchmarks.conditions import Load, conditions  # noqa: E402
from benchmarks.runtimes import Job, find, onnx, versions  # noqa: E402
from zoo import console  # noqa: E402
from zoo.errors import ZooError  # noqa: E402
from zoo.files import write_atomic  # noqa: E402
from zoo.kernels.bench.bench import Timing, bench, least_bytes  # noqa: E402
from zoo.kernels.errors import KernelError  # noqa: E402
from zoo.kernels.ir.workload import Workload  # noqa: E402

RUNTIMES = ("zoo", "onnxruntime")
ROUNDS, RUNS = 5, 40


def main(
    model: Annotated[str, typer.Option("-m", "--model", help="A variant with weights.")] = "fastdepth_pruned",
    json_: Annotated[Path | None, typer.Option("--json", help="File to write the rows to, as JSON lines.")] = None,
) -> None:
    """Time every layer on one thread."""
    from zoo.kernels.device import host

    if json_ and not json_.parent.is_dir():
        raise ZooError(f"--json {json_}: there is no folder {json_.parent}")
    job = measure.jobs([model], [1], host().name, ROOT / "build" / "compare")[0]
    with console.progress("layer by layer") as on_progress:
        for name, status in measure.prepare([job], RUNTIMES, on_progress).items():
            if status != "ok":
                raise ZooError(f"{name[0]}: {status}")
        rows = layers(job, on_progress)
    if json_:
        write_atomic(json_, "".join(json.dumps(row) + "\n" for row in rows).encode())
    show(rows)


def layers(job: Job, on_progress: measure.OnProgress) -> list[measure.Row]:
    """A row per layer and runtime; the two in turn, medians over all rounds."""
    import psutil

    from zoo.kernels.bench.peak import peak
    from zoo.kernels.device import host

    most = peak(host(), 1)
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    process = psutil.Process()
    load = Load(lambda: sum(process.cpu_times()[:2]))
    for i in range(ROUNDS):
        on_progress("measuring", i, ROUNDS)
        steps = together(bench(find("zoo").files(job)[0].parent, 1)[1])
        ours.append([step.p50_ms for step in steps])
        theirs.append(profile(job))
    if len(theirs[0]) != len(steps):
        raise ZooError(f"ONNX Runtime runs {len(theirs[0])} convolutions, the plan has {len(steps)}")
    limits = {"peak_gmacs_per_s": round(most.gmacs, 2), "copy_gbytes_per_s": round(most.gbytes, 2)}
    busy = {"load": load.so_far()}
    rows = []
    for name, times in zip(RUNTIMES, (ours, theirs), strict=True):
        common = {"versions": versions(find(name)), "provenance": "measured"} | limits | busy | conditions()
        for step, values in zip(steps, zip(*times, strict=True), strict=True):
            row = {"model": job.model, "layer": step.name, "workload": step.workload, "runtime": name, "threads": 1}
            row |= {"p50_ms": round(statistics.median(values), 5), "macs": step.macs, "bytes": step.bytes}
            rows.append(row | common)
    return rows


def together(steps: list[Timing]) -> list[Timing]:
    """The network's layers: a layer that runs as full blocks of channels and half a block is one again."""
    whole: list[Timing] = []
    for step in steps:
        if not step.name.endswith(".half"):
            whole.append(replace(step, name=step.name.removesuffix(".full")))
            continue
        full = whole.pop()
        a, b = Workload.parse(full.workload), Workload.parse(step.workload)
        count = a.cout + b.cout
        both = replace(a, cout=count, cin=count if a.kind == "depthwise" else a.cin)
        times = {key: getattr(full, key) + getattr(step, key) for key in ("p10_ms", "p50_ms", "p90_ms")}
        whole.append(Timing(full.name, str(both), macs=both.macs, bytes=least_bytes(both), **times))
    return whole


def profile(job: Job) -> list[float]:
    """ONNX Runtime's median milliseconds per convolution, with what comes before it."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        options.enable_profiling, options.profile_file_prefix = True, str(Path(scratch) / "profile")
        session = onnxruntime.InferenceSession(str(onnx.path(job)), options, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: job.example()[None]}
        for _ in range(RUNS):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
    return per_convolution([event for event in events if event.get("cat") == "Node"])


def per_convolution(events: list[dict[str, Any]]) -> list[float]:
    """Median milliseconds per convolution over the runs, from the events of all nodes."""
    nodes: dict[str, list[float]] = {}
    kinds: dict[str, str] = {}
    for event in sorted(events, key=lambda event: event["ts"]):
        if event["name"].endswith("_kernel_time"):
            nodes.setdefault(event["name"], []).append(event["dur"] / 1e3)
            kinds[event["name"]] = event["args"]["op_name"]
    times, waiting = list[float](), 0.0
    for name, values in nodes.items():  # in order of execution
        waiting += statistics.median(values[len(values) // 4 :])  # the first runs warm up
        if "Conv" in kinds[name]:
            times.append(waiting)
            waiting = 0.0
    times[-1] += waiting
    return times


def show(rows: list[measure.Row]) -> None:
    """The layers side by side, and their sums."""
    console.heading(f"{rows[0]['model']}, 1 thread, float32, {rows[0]['hardware']}")
    console.out.print(
        f"limit: {rows[0]['peak_gmacs_per_s']:.1f} GMAC/s in registers, {rows[0]['copy_gbytes_per_s']:.1f} GB/s copied"
    )
    table = console.table("layer", "zoo ms ", "onnxruntime ms ", "limit ms ")
    half = len(rows) // 2
    columns = [
        (a["layer"], a["p50_ms"], b["p50_ms"], limit_ms(a)) for a, b in zip(rows[:half], rows[half:], strict=True)
    ]
    columns.append(("sum", *(sum(values) for values in list(zip(*columns, strict=True))[1:])))  # type: ignore[arg-type]
    for name, *times in columns:
        table.add_row(name, *(f"{time:.3f}" for time in times))
    console.out.print(table)


def limit_ms(row: measure.Row) -> float:
    """The roofline: as fast as arithmetic or memory would allow, whichever is slower."""
    return float(max(row["macs"] / row["peak_gmacs_per_s"], row["bytes"] / row["copy_gbytes_per_s"]) / 1e6)


if __name__ == "__main__":
    try:
        typer.run(main)
    except (ZooError, KernelError) as error:
        console.complain(str(error))
        sys.exit(2)
