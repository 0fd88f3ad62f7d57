"""zoo export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import console
from .options import InputSides, Json, Model, Overwrite, examples, sides


def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")],
    form: Annotated[str, typer.Option("--format", help="onnx, tflite, pt2 (torch.export) or torchscript.")] = "onnx",
    model: Model = "fastdepth_pruned",
    input_: InputSides = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write a network for other tools, run what was written, and compare it with eager."""
    from .. import outputs
    from ..exporters import COMMAND
    from ..exporters import export as run
    from ..weights.load import load

    outputs.claim([(out, outputs.marked(COMMAND))], overwrite=overwrite)
    network = load(model)
    height, width = sides(input_) if input_ else network.variant.input
    error = run(network, form, out, height, width)
    row = {"file": str(out), "format": form, "model": network.variant.name, "input": [1, 3, height, width]}
    if json:
        console.show_json(row | {"max_abs_error_m": error})
    else:
        console.out.print(f"{out}: {form}, 1x3x{height}x{width}, differs from eager by {error:.0e} m", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo export -m fastdepth_pruned --format onnx -o fastdepth.onnx",
            "zoo export --format tflite -o fastdepth.tflite",
        )
    )(export)
