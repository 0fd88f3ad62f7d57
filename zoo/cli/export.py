"""zoo export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console
from .options import InputSides, Json, Model, Overwrite, examples, sides

if TYPE_CHECKING:
    from ..exporters.onnx import Options


def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")],
    form: Annotated[str, typer.Option("--format", help="onnx, tflite, pt2 (torch.export) or torchscript.")] = "onnx",
    model: Model = "fastdepth_pruned",
    input_: InputSides = None,
    dynamic: Annotated[
        str | None, typer.Option(help="ONNX: axes left free, of batch,size. Sides stay multiples of 32.")
    ] = None,
    opset: Annotated[int | None, typer.Option(help="ONNX: its opset, 14 or more; default: as torch writes.")] = None,
    dtype: Annotated[str | None, typer.Option(help="ONNX: f32 or f16, of weights and arithmetic alone.")] = None,
    pixels: Annotated[
        bool,
        typer.Option("--pixels", help="ONNX: uint8 RGB (batch, height, width, 3) of any size in, metres of it out."),
    ] = False,
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
    options: Options = {}
    if dynamic is not None:
        options["free"] = tuple(part.strip() for part in dynamic.split(","))
    if opset is not None:
        options["opset"] = opset
    if dtype is not None:
        options["dtype"] = dtype
    if pixels:
        options["pixels"] = True
    error = run(network, form, out, height, width, **options)
    row = {"file": str(out), "format": form, "model": network.variant.name, "input": [1, 3, height, width]}
    if json:
        console.show_json(row | options | {"max_abs_error_m": error})
        return
    batch = "batch" if "batch" in options.get("free", ()) else "1"
    shape = f"{batch}x3x{height}x{width}"
    if "size" in options.get("free", ()):
        shape = f"{batch}x3xheightxwidth (multiples of 32)"
    if pixels:
        shape = f"uint8 {batch}xheightxwidthx3 of any size, {height}x{width} inside"
    made = f"{form}, {dtype}" if dtype else form
    console.out.print(f"{out}: {made}, {shape}, differs from eager by {error:.0e} m", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo export -m fastdepth_pruned --format onnx -o fastdepth.onnx",
            "zoo export --format tflite -o fastdepth.tflite",
            "zoo export --dynamic batch,size --opset 17 -o fastdepth.onnx",
            "zoo export --pixels --dtype f16 -o fastdepth.onnx",
        )
    )(export)
