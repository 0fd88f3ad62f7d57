"""zoo devices."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import console
from .options import Json, examples


def devices(
    name: Annotated[str | None, typer.Argument(help="One of them, or a .toml file: show its whole record.")] = None,
    json: Json = False,
) -> None:
    """Show the machines kernels can be compiled for, or all that is known of one and where it was read."""
    from dataclasses import asdict

    from ..kernels.device import device as find
    from ..kernels.device import records
    from ..kernels.targets import target_of

    if name:
        facts = asdict(find(name)) | {"folder": None}
        if json:
            console.show_json(facts)
            return
        console.heading(facts.pop("name"))
        table = console.table("", "", header=False)
        for key in (
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
        ):
            value = ", ".join(facts[key]) if key == "cpu_features" else facts[key]
            if value:
                table.add_row(key, str(value))
        console.out.print(table)
        return
    here = next((record for record in records() if record.runs_here), None)
    if json:
        console.show_json([asdict(r) | {"host": r == here, "runs_here": r.runs_here} for r in records()])
        return
    table = console.table("device", "here", "kernels for", "what it is")
    for record in records():
        name = f"{record.name} (host)" if record == here else record.name
        table.add_row(name, "yes" if record.runs_here else "no", target_of(record).summary, record.summary)
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("zoo devices", "zoo devices --json"))(devices)
