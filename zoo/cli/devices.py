"""zoo devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import console
from .options import Json, examples

if TYPE_CHECKING:
    from ..kernels.device import Device

KEYS = (
    "summary",
    "kind",
    "arch",
    "target",
    "zig_target",
    "simd_lanes",
    "simd_registers",
    "cpu_features",
    "gpu",
    "source",
)


def devices(
    name: Annotated[str | None, typer.Argument(help="One of them, or a .toml file: show its whole record.")] = None,
    json: Json = False,
) -> None:
    """Show the machines kernels can be compiled for and the processors they are tuned on, or all that is known of one."""
    from dataclasses import asdict

    from ..kernels.device import records
    from ..kernels.processor import here

    if name:
        _show_one(name, json)
        return
    host = next((record for record in records() if record.runs_here and not record.board), None)
    rows = [asdict(r) | {"host": r == host, "runs_here": r.runs_here, "tuned": _tuned(r)} for r in records()]
    if json:
        console.show_json(rows)
        return
    machine = here()
    said = f"{machine.processor} ({machine.name}), {machine.cores} cores"
    console.heading(f"This machine: {said}; --device host is {host.name if host else 'none of these'}")
    groups: dict[str, list[Device]] = {"Classes": [], "Boards": [], "GPUs": []}
    for record in records():
        groups["GPUs" if record.gpu else "Boards" if record.board else "Classes"].append(record)
    for title, members in groups.items():
        console.out.print()
        table = console.table(title, "here", "processor: layers tuned", "what it is")
        for record in members:
            layers = ", ".join(f"{name}: {count}" for name, count in _tuned(record).items())
            runs = "host" if record == host else "yes" if record.runs_here else ""
            table.add_row(record.name, runs, layers or record.processor, record.summary)
        console.out.print(table)


def _tuned(device: Device) -> dict[str, int]:
    """Layers whose settings somebody measured or imported, by the processor they are for; the most first."""
    from ..kernels.records import by_workload, present
    from ..kernels.selection import known

    groups = by_workload(present(known(device), device)).values()
    found = [name for group in groups for name in {record.machine.processor for record in group}]
    return {name: found.count(name) for name in sorted(set(found), key=lambda name: (-found.count(name), name))}


def _show_one(name: str, json: bool) -> None:
    from dataclasses import asdict

    from ..kernels.device import device as find
    from ..kernels.targets import target_of

    record = find(name)
    facts: dict[str, Any] = asdict(record) | {"folder": None, "tuned": _tuned(record)}
    if json:
        console.show_json(facts)
        return
    console.heading(record.name)
    table = console.table("", "", header=False)
    for key in KEYS:
        value = ", ".join(facts[key]) if key == "cpu_features" else facts[key]
        if value:
            table.add_row(key, str(value))
    table.add_row("kernels for", target_of(record).summary)
    table.add_row("layers tuned", ", ".join(f"{count} on {name}" for name, count in facts["tuned"].items()) or "none")
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("zoo devices", "zoo devices rpi4", "zoo devices --json"))(devices)
