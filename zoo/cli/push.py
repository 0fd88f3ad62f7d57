"""zoo push."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import console
from .options import Json, examples


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


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("zoo push fastdepth_pruned --to ACCOUNT --private"))(push)
