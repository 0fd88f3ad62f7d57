"""zoo pull."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import console
from .options import Json, Namespace, Overwrite, examples


def pull(
    variant: Annotated[str, typer.Argument(help="A variant (zoo list).")],
    revision: Annotated[str | None, typer.Option(help="Commit or branch; default the pinned one.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to write the whole checkpoint to.")] = None,
    namespace: Namespace = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Fetch a variant's weights, verify them, and say where they are."""
    from ..variant import variant as find
    from ..weights import hub
    from ..weights.checkpoint import digest

    path = hub.pull(
        find(variant),
        to,
        revision=revision,
        namespace=namespace,
        progress=console.err.is_terminal,
        overwrite=overwrite,
    )
    if json:
        console.show_json({"variant": variant, "path": str(path), "sha256": digest(path)})
    else:
        console.out.print(str(path), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo pull fastdepth_pruned",
            "zoo pull fastdepth --namespace ACCOUNT --to fastdepth/",
        )
    )(pull)
