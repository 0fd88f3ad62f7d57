"""The commands around speed: bench, tune, log. They import what they need when they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo import console

from .errors import KernelError

if TYPE_CHECKING:
    from .device import Device
    from .log import Record

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]
Model = Annotated[str, typer.Option("-m", "--model", help="A variant (zoo list) or a checkpoint folder.")]
Logs = Annotated[str, typer.Argument(metavar="LOG", help="A device (zoo devices), or a log file.")]


def bench(
    artifact: Annotated[Path, typer.Option(help="A folder made by zoo compile.")] = Path("build/host"),
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads to use.")] = 1,
    layers: Annotated[bool, typer.Option("--layers", help="Show every layer.")] = False,
    json: Json = False,
) -> None:
    """Time an artifact against what this machine can do at most, measured first."""
    from .bench import bench as run
    from .device import device as find
    from .peak import peak
    from .runtime.fastdepth import ArtifactError, read_manifest

    try:
        manifest = read_manifest(artifact)
        most = peak(find(manifest["device"]), threads)
        whole, steps = run(artifact, threads)
    except ArtifactError as error:
        raise KernelError(str(error)) from error
    rows = [timing.row(most) for timing in (*steps, whole)]
    if json:
        facts = {"artifact": str(artifact), "device": manifest["device"], "threads": threads, "dtype": "f32"}
        limits = {"peak_gmacs_per_s": most.gmacs, "copy_gbytes_per_s": most.gbytes}
        console.show_json(facts | limits | {"whole": rows[-1], "steps": rows[:-1] if layers else []})
        return
    console.heading(f"{artifact}: {whole.name}, {threads} thread{'s' * (threads > 1)}, float32, median of 60 runs")
    table = console.table("layer", "workload", "ms ", "GMAC/s ", "of peak ", "of copy ")
    table.columns[1].no_wrap, table.columns[1].overflow = True, "ellipsis"
    for row in rows if layers else rows[-1:]:
        rates = (f"{row['gmacs_per_s']:.1f}", f"{row['share_of_peak']:.0%}", f"{row['share_of_copy']:.0%}")
        table.add_row(row["name"], row["workload"], f"{row['p50_ms']:.3f}", *rates)
    console.out.print(table)
    console.out.print(
        f"10th to 90th percentile: {whole.p10_ms:.2f} to {whole.p90_ms:.2f} ms; {1e3 / whole.p50_ms:.0f} fps"
    )
    console.out.print(f"measured limits: {most.gmacs:.1f} GMAC/s in registers, {most.gbytes:.0f} GB/s copied")


def tune(
    model: Model = "fastdepth_pruned",
    device: Annotated[str, typer.Option(help="A device (zoo devices): this machine, or the runner's.")] = "host",
    trials: Annotated[int, typer.Option(min=1, help="Settings per layer, those already in the log counted.")] = 32,
    runner: Annotated[
        str | None, typer.Option(help="How to reach the board: ssh:user@board, or a command that runs a program.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Log to read and add to; default: the one zoo compile uses.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random choices.")] = 0,
    json: Json = False,
) -> None:
    """Search for faster knobs, layer by layer, guided by a model of everything measured so far (XGBoost)."""
    from zoo.loading import identify, load

    from .device import device as find
    from .export import trace
    from .log import append, best, path_of, read
    from .measure import Worker
    from .remote import Board
    from .rewrite import rewrite
    from .schedule.knobs import VERSION
    from .tune import tune as run

    target = find(device)
    variant, folder = identify(model)
    plan = rewrite(trace(load(model, pretrained=folder is not None), *variant.input))
    path = log or path_of(target)
    records, remarks = read(path)
    for remark in remarks:
        console.warn("skipped", remark)
    ours = [r for r in records if r.device == target.name and r.schedule == VERSION]
    with (
        Board(target, runner) if runner else Worker(target) as worker,
        console.progress(f"tuning for {target.name}") as tick,
    ):
        run(plan.workloads, target, trials, ours, worker.measure, lambda new: append(path, new), tick, seed=seed)
    chosen = best(ours, target)
    total = sum(chosen[step.workload].time for step in plan.steps if step.workload in chosen)
    row = {
        "log": str(path),
        "device": target.name,
        "layers": len(plan.steps),
        "records": len(ours),
        "sum_ms": total * 1e3,
    }
    if json:
        console.show_json(row)
        return
    best_sum = f"the layers' best sum to {total * 1e3:.2f} ms, each timed by itself"
    said = best_sum if chosen else "none that says how fast the device is"
    console.out.print(f"{path}: {len(ours)} records; {said}", soft_wrap=True)


def show(log: Logs, json: Json = False) -> None:
    """Show every record of a log."""
    _, records = _open(log)
    _print(records, json)


def best(log: Logs, json: Json = False) -> None:
    """Show the fastest usable record of every workload."""
    from .log import best as choose

    device, records = _open(log)
    _print(list(choose(records, device).values()), json)


def check(log: Logs) -> None:
    """Check every line of a log; exit code 1 if any is not a record that can be used."""
    from .log import best as choose

    device, records, remarks = _read(log)
    for remark in remarks:
        console.complain(remark)
    failed = sum(not record.seconds for record in records)
    console.out.print(
        f"{len(records)} records, {failed} of them failures, {len(choose(records, device))} workloads tuned"
    )
    if remarks:
        raise typer.Exit(1)


def merge(
    logs: Annotated[list[Path], typer.Argument(help="Log files.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Log to add their records to; duplicates are dropped.")],
) -> None:
    """Add the records of several logs to one."""
    from .log import append, read

    present = {record.line() for record in read(out)[0]}
    added = 0
    for path in logs:
        if not path.is_file():
            raise KernelError(f"{path}: no such file")
        records, remarks = read(path)
        for remark in remarks:
            console.complain(remark)
        fresh = [record for record in records if record.line() not in present]
        append(out, fresh)
        present |= {record.line() for record in fresh}
        added += len(fresh)
    console.out.print(f"{out}: {added} records added", soft_wrap=True)


def import_(
    logs: Annotated[list[Path], typer.Argument(help="AutoTVM 0.1 log files.")],
    device: Annotated[str, typer.Option(help="The device (zoo devices) they were measured on.")],
    host: Annotated[str, typer.Option(help="That device in words, with where the logs are from.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Log to add to; default: the device's own.")] = None,
) -> None:
    """Add what AutoTVM measured, until 2024 the tuner of TVM: how fast a device is, and which tilings won there."""
    from .autotvm import parse, translated
    from .device import device as find
    from .log import FOREIGN, append, path_of, read

    target = find(device)
    path = out or path_of(target)
    present = {record.line() for record in read(path)[0]}
    fresh: dict[str, Record] = {}
    for log in logs:
        try:
            lines = log.read_text(errors="replace").splitlines()
        except OSError as error:
            raise KernelError(f"{log}: {error.strerror or error}") from error
        for number, line in enumerate(lines, start=1):
            try:
                record = parse(line, target.name, host)
            except KernelError as error:
                console.complain(f"{log}:{number}: {error}")
                continue
            ours = translated(record, target)
            fresh |= {made.line(): made for made in (record, ours) if made and made.line() not in present}
    append(path, fresh.values())
    usable = sum(record.schedule != FOREIGN for record in fresh.values())
    console.out.print(
        f"{path}: {len(fresh)} records added, {usable} of them tilings that our schedules have too", soft_wrap=True
    )


def _read(log: str) -> tuple[Device, list[Record], list[str]]:
    from .device import device, records
    from .log import path_of, read

    if any(log == record.name for record in records()) or log == "host":
        path = path_of(device(log))
    else:
        path = Path(log)
        if not path.is_file():
            raise KernelError(
                f"{log}: neither a device nor a log file; devices: {', '.join(r.name for r in records())}"
            )
    found, remarks = read(path)
    name = found[0].device if found else log
    return device(name), found, remarks


def _open(log: str) -> tuple[Device, list[Record]]:
    device, records, remarks = _read(log)
    for remark in remarks:
        console.warn("skipped", remark)
    return device, records


def _print(records: list[Record], json: bool) -> None:
    import json as encoder

    if json:
        console.show_json([encoder.loads(record.line()) for record in records])
        return
    table = console.table("workload", "ms ", "GMAC/s ", "source", "knobs")
    for record in records:
        knobs = " ".join(f"{name}={value}" for name, value in record.knobs.items())
        time, rate = record.time, record.workload.macs / record.time / 1e9
        shown = (f"{time * 1e3:.3f}", f"{rate:.1f}") if record.seconds else ("failed", "")
        table.add_row(
            str(record.workload), *shown, record.source, knobs if record.seconds else f"{knobs}: {record.error}"
        )
    console.out.print(table)
