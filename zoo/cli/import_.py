"""zoo import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import console
from .options import Json, Overwrite, examples


def import_(
    file: Annotated[
        Path, typer.Argument(help="TFLite and ONNX (float, int8), .pth.tar, .pth, .pt, .pt2 or .safetensors.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write: model.safetensors and config.json.")],
    variant: Annotated[
        str | None, typer.Option(help="The variant it must be; default: the one with its widths.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Turn a foreign checkpoint into a folder of ours, which every command takes as -m. Nothing in it is run."""
    from .. import importers as convert
    from .. import outputs
    from ..weights import checkpoint

    targets = [(out / name, checkpoint.noted("imported_from")) for name in checkpoint.FILES]
    outputs.claim(targets, [file], overwrite=overwrite)
    network = convert.import_file(file, variant)
    name = network.variant.name
    checkpoint.save(network, out, {"imported_from": file.name, "sha256": checkpoint.digest(file)})
    if json:
        console.show_json({"variant": name, "folder": str(out), "from": str(file)})
    else:
        console.out.print(f"{out}: {name} from {file.name}; try: zoo predict photo.jpg -m {out}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "import",
        epilog=examples(
            "zoo import fast_depth_224.tflite -o imported/",
            "zoo import mobilenet-nnconv5dw-skipadd.pth.tar -o imported/",
        ),
    )(import_)
