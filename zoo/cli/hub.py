"""The commands around the Hub: pull, push, verify. They import what they need when they run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .. import console
from ..errors import ZooError
from .options import Overwrite

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]
Namespace = Annotated[
    str | None, typer.Option(envvar="ZOO_NAMESPACE", help="The Hub account that serves the variants.")
]


def pull(
    variant: Annotated[str, typer.Argument(help="A variant (zoo list).")],
    revision: Annotated[str | None, typer.Option(help="Commit or branch; default the pinned one.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to write the whole checkpoint to.")] = None,
    namespace: Namespace = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Fetch a variant's weights, verify them, and say where they are."""
    import tempfile

    from .. import outputs
    from ..files import put
    from ..variant import variant as find
    from ..weights import hub
    from ..weights.checkpoint import WEIGHTS, digest

    fetch = partial(hub.pull, find(variant), revision=revision, namespace=namespace, progress=console.err.is_terminal)
    if to is None:
        path = fetch()
    else:
        with tempfile.TemporaryDirectory() as scratch:
            fetch(Path(scratch))
            fetched = {to / file.name: file.read_bytes() for file in Path(scratch).iterdir()}
        same = [(file, lambda file: file.read_bytes() == fetched[file]) for file in fetched]
        outputs.claim(same, overwrite=overwrite)
        for file, content in fetched.items():
            put(file, content)
        path = to / WEIGHTS
    if json:
        console.show_json({"variant": variant, "path": str(path), "sha256": digest(path)})
    else:
        console.out.print(str(path), soft_wrap=True)


def push(
    model: Annotated[str, typer.Argument(metavar="VARIANT", help="A variant, or a checkpoint folder with its card.")],
    to: Annotated[str, typer.Option(metavar="NAMESPACE", help="Your Hub account, or ACCOUNT/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    json: Json = False,
) -> None:
    """Upload weights, config and card to the Hub. Needs HF_TOKEN, or `hf auth login`."""
    from ..model.network import FastDepth
    from ..weights import checkpoint, hub
    from ..weights.load import identify

    variant, folder = identify(model)
    if folder is None:
        folder = hub.resolve(variant).parent  # verified against the record
    checkpoint.restore(FastDepth(variant), folder / checkpoint.WEIGHTS)
    name = variant.weights.repo if variant.weights else folder.name
    repository = to if "/" in to else f"{to}/{name}"
    commit = hub.push(folder, repository, private=private)
    if json:
        console.show_json({"repository": repository, "commit": commit, "folder": str(folder)})
        return
    console.out.print(f"{repository} @ {commit}", soft_wrap=True)
    console.out.print(f'to pin it: revision = "{commit}" under [weights] in zoo/variants/{variant.name}.toml')


def verify(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="VARIANT", help="Variants or checkpoint folders; default all.")
    ] = None,
    json: Json = False,
) -> None:
    """Check weights against their records: size, sha256, every tensor of its shape and finite."""
    from ..model.network import FastDepth
    from ..variant import catalogue
    from ..weights import checkpoint, hub
    from ..weights.load import identify

    rows = []
    for name in models or [v.name for v in catalogue() if v.weights]:
        row = {"model": name, "path": "", "status": "ok"}
        try:
            variant, folder = identify(name)
            path = hub.resolve(variant, weights=folder)
            row["path"] = str(path)
            checkpoint.restore(FastDepth(variant), path)
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


def register(app: typer.Typer, examples: Callable[..., str]) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog=examples(
            "zoo pull fastdepth_pruned",
            "zoo pull fastdepth --namespace ACCOUNT --to fastdepth/",
        )
    )(pull)
    app.command(epilog=examples("zoo push fastdepth_pruned --to ACCOUNT --private"))(push)
    app.command(epilog=examples("zoo verify", "zoo verify runs/pruned --json"))(verify)
