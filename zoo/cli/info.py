"""zoo info."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .. import console
from .options import Json, examples


def info(
    model: Annotated[str, typer.Argument(help="A variant (zoo list) or a checkpoint folder.")] = "fastdepth_pruned",
    json: Json = False,
) -> None:
    """Show everything the zoo knows about a variant."""
    from ..model.network import FastDepth, count
    from ..weights.load import identify

    variant, _ = identify(model)
    macs, weights = count(FastDepth(variant).eval(), *variant.input)
    if json:
        console.show_json(asdict(variant) | {"macs": macs, "conv_weights": weights})
        return
    console.heading(f"{variant.name}: {variant.summary}")
    table = console.table("", "", header=False)
    height, width = variant.input
    table.add_row("input", f"(N, 3, {height}, {width}) RGB in [0, 1]; other sides: multiples of 32")
    table.add_row("output", f"(N, 1, {height}, {width}) metres, >= 0")
    table.add_row("work", f"{macs / 1e6:.2f} M multiply-accumulates at {height}x{width}")
    table.add_row("convolution weights", f"{weights:,}")
    table.add_row("encoder widths", " ".join(map(str, variant.encoder_widths)))
    table.add_row("decoder widths", " ".join(map(str, variant.decoder_widths)))
    table.add_row("skips", ", ".join(f"encoder {i} to decoder {j}, {variant.skip}" for i, j in variant.skips) or "none")
    table.add_row("widths from", variant.widths_from)
    if w := variant.weights:
        table.add_row("weights", f"{w.status}; {w.origin}")
        table.add_row("licence", w.licence)
        table.add_row("trained on", w.data)
        table.add_row("sha256", w.sha256)
    for claim in variant.claims:
        table.add_row(
            "published, not measured here", f"{claim.value:g} {claim.unit}: {claim.conditions} ({claim.source})"
        )
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("zoo info fastdepth_pruned", "zoo info fastdepth --json"))(info)
