"""zoo verify."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import console
from ..errors import ZooError
from .options import Json, examples


def verify(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="VARIANT", help="Variants or checkpoint folders; default all.")
    ] = None,
    json: Json = False,
) -> None:
    """Check weights against their records: size, sha256, every tensor of its shape and finite."""
    from ..model.network import network_of
    from ..variant import catalogue
    from ..weights import checkpoint, hub
    from ..weights.load import identify

    rows = []
    for name in models or [v.name for v in (*catalogue(), *catalogue(quantized=True)) if v.weights]:
        row = {"model": name, "path": "", "status": "ok"}
        try:
            variant, folder = identify(name)
            path = hub.resolve(variant, weights=folder)
            row["path"] = str(path)
            checkpoint.restore(network_of(variant), path)
            row["checked"] = "structure" if folder else "size, sha256, structure"
        except ZooError as error:
            row["status"] = str(error)
        rows.append(row)
    if json:
        console.show_json(rows)
    else:
        table = console.table("model", "status", "checked", "where")
        for row in rows:
            table.add_row(row["model"], row["status"], row.get("checked", ""), row["path"])
        console.out.print(table)
    if any(row["status"] != "ok" for row in rows):
        raise typer.Exit(2)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("zoo verify", "zoo verify runs/pruned --json"))(verify)
