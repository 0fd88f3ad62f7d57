"""zoo list."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .. import console
from ..variant import catalogue
from .options import Json, examples


def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those without weights too.")] = False, json: Json = False
) -> None:
    """Show the variants of the zoo."""
    study = catalogue(study=True) if all_ else ()
    found = (*catalogue(), *catalogue(quantized=True))
    if json:
        console.show_json([asdict(v) for v in (*found, *study)])
        return
    table = console.table("variant", "weights", "size ", "licence", "what it is")
    for v in found:
        status, size, licence = (
            (v.weights.status, f"{v.weights.size / 1e6:.1f} MB", v.weights.licence) if v.weights else ("none", "", "")
        )
        table.add_row(v.name, status, size, licence, v.summary)
    console.out.print(table)
    if study:
        console.out.print()
        table = console.table("study, no weights", "what it is")
        for v in study:
            table.add_row(v.name, v.summary)
        console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", epilog=examples("zoo list", "zoo list --all", "zoo list --json"))(list_)
