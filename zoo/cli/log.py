"""zoo log: look after tuning records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console
from ..kernels.errors import KernelError
from .options import Json, examples

if TYPE_CHECKING:
    from ..kernels.device import Device
    from ..kernels.records import Record

Logs = Annotated[
    str, typer.Argument(metavar="LOG", help="A processor (znver4), a device (zoo devices), or a log file.")
]


def show(log: Logs, json: Json = False) -> None:
    """Show every record of a log."""
    _, records, remarks = _read(log)
    _remark(remarks)
    _print(records, json)


def best(log: Logs, json: Json = False) -> None:
    """Show the fastest usable record of every workload."""
    from ..kernels.records import best as choose

    path, records, remarks = _read(log)
    _remark(remarks)
    _print([record for device in _devices(path, records) for record in choose(records, device).values()], json)


def check(log: Logs, json: Json = False) -> None:
    """Check every line of a log; exit code 1 if any is not a record that can be used."""
    from ..kernels.records import best as choose

    path, records, remarks = _read(log)
    usable = sum(len(choose(records, device)) for device in _devices(path, records))
    for remark in remarks:
        console.complain(remark)
    failed = sum(not record.seconds for record in records)
    if json:
        console.show_json({"records": len(records), "failed": failed, "tuned": usable, "remarks": remarks})
    else:
        console.out.print(f"{len(records)} records, {failed} of them failures, {usable} workloads tuned")
    if remarks:
        raise typer.Exit(1)


def merge(
    logs: Annotated[list[Path], typer.Argument(help="Log files.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Log to add their records to; duplicates are dropped.")],
    processor: Annotated[
        str | None,
        typer.Option(
            help="Where records do not say it, as those of old logs: the processor they were made on (znver4)."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Add the records of several logs to one."""
    from ..kernels.processor import NAME
    from ..kernels.records import append, begun, placed, read

    if processor and not NAME.fullmatch(processor):
        raise KernelError(f"--processor {processor!r}: a compiler's name, such as znver4 or cortex-a72")
    present = {record.line() for record in begun(out)[0]}
    added = 0
    for path in logs:
        if not path.exists():
            raise KernelError(f"{path}: no such file")
        records, remarks = read(path)
        for remark in remarks:
            console.complain(remark)
        if processor:
            records = [placed(record, processor) for record in records]
        fresh = [record for record in records if record.line() not in present]
        append(out, fresh)
        present |= {record.line() for record in fresh}
        added += len(fresh)
    if json:
        console.show_json({"log": str(out), "added": added})
    else:
        console.out.print(f"{out}: {added} records added", soft_wrap=True)


def import_(
    logs: Annotated[list[Path], typer.Argument(help="AutoTVM 0.1 log files.")],
    device: Annotated[str, typer.Option(help="The device (zoo devices) they were measured on.")],
    host: Annotated[str, typer.Option(help="That machine in words, with where the logs are from.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Log to add to; default: the device's own.")] = None,
    json: Json = False,
) -> None:
    """Add what AutoTVM measured, until 2024 the tuner of TVM: how fast a device is, and which tilings won there."""
    from ..kernels.device import device as find
    from ..kernels.files import read_bounded
    from ..kernels.processor import UNKNOWN, Machine
    from ..kernels.records import FOREIGN, append, begun, path_of
    from ..kernels.tuning.autotvm import parse, translated

    target = find(device)
    machine = Machine(target.processor or UNKNOWN, host)
    path = out or path_of(target, machine.processor)
    present = {record.line() for record in begun(path)[0]}
    fresh: dict[str, Record] = {}
    for log in logs:
        for number, line in enumerate(read_bounded(log).decode(errors="replace").splitlines(), start=1):
            try:
                record = parse(line, target.name, machine)
            except KernelError as error:
                console.complain(f"{log}:{number}: {error}")
                continue
            ours = translated(record, target)
            fresh |= {made.line(): made for made in (record, ours) if made and made.line() not in present}
    append(path, fresh.values())
    usable = sum(record.schedule_version != FOREIGN for record in fresh.values())
    if json:
        console.show_json({"log": str(path), "added": len(fresh), "usable": usable})
        return
    console.out.print(
        f"{path}: {len(fresh)} records added, {usable} of them tilings that our schedules have too", soft_wrap=True
    )


def _read(log: str) -> tuple[Path, list[Record], list[str]]:
    """(the log, its records, remarks) of a processor, of a file, or of a device: what was measured for it, on whichever."""
    from ..kernels.device import device, records
    from ..kernels.records import FOLDER, read
    from ..kernels.selection import known

    names = [record.name for record in records()]
    if log in names or log == "host":
        return FOLDER / log, known(device(log)), []
    path = Path(log)
    if not path.exists():
        path = FOLDER / f"{log}.jsonl"
    if not path.exists():
        processors = ", ".join(sorted(each.stem for each in FOLDER.glob("*.jsonl")))
        raise KernelError(
            f"{log}: neither a log file, nor a processor with records ({processors}), nor a device ({', '.join(names)})"
        )
    return path, *read(path)


def _devices(path: Path, records: list[Record]) -> list[Device]:
    """Whose records these are: devices of the zoo, or such whose records lie beside the log."""
    from ..kernels.device import device

    names = dict.fromkeys(record.device for record in records)
    return [device(str(own) if (own := path.with_name(f"{name}.toml")).is_file() else name) for name in names]


def _remark(remarks: list[str]) -> None:
    for remark in remarks:
        console.warn("skipped", remark)


def _print(records: list[Record], json: bool) -> None:
    import json as encoder

    if json:
        console.show_json([encoder.loads(record.line()) for record in records])
        return
    table = console.table("workload", "processor", "ms ", "GMAC/s ", "provenance", "knobs")
    for record in records:
        knobs = " ".join(f"{name}={value}" for name, value in record.knobs.items())
        time, rate = record.time, record.workload.macs / record.time / 1e9
        shown = (f"{time * 1e3:.3f}", f"{rate:.1f}") if record.seconds else ("failed", "")
        table.add_row(
            str(record.workload),
            record.machine.processor,
            *shown,
            record.provenance,
            knobs if record.seconds else f"{knobs}: {record.error}",
        )
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    logs = typer.Typer(name="log", help="Look into tuning records.", no_args_is_help=True)
    logs.command(epilog=examples("zoo log show znver4", "zoo log show build/new.jsonl --json"))(show)
    logs.command(epilog=examples("zoo log best znver4"))(best)
    logs.command(epilog=examples("zoo log check znver4"))(check)
    logs.command(
        epilog=examples(
            "zoo log merge board-a.jsonl board-b.jsonl -o both.jsonl",
            "zoo log merge old.jsonl --processor znver4 -o new.jsonl",
        )
    )(merge)
    logs.command(
        "import",
        epilog=examples("zoo log import tx2-cpu.*.log --device tx2-cpu --host 'Jetson TX2 (dwofk/fast-depth)'"),
    )(import_)
    app.add_typer(logs)
