"""zoo import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import console
from ..errors import ZooError
from .options import Json, Overwrite, examples


def import_(
    file: Annotated[
        Path, typer.Argument(help="TFLite and ONNX (float, int8), .pth.tar, .pth, .pt, .pt2 or .safetensors.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write: model.safetensors and config.json.")],
    variant: Annotated[
        str | None, typer.Option(help="The variant it must be; default: the one with its widths.")
    ] = None,
    encoder: Annotated[
        bool,
        typer.Option("--encoder", help="Take only the encoder, of an image classifier; the rest begins at random."),
    ] = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Turn a foreign checkpoint into a folder of ours, which every command takes as -m. Nothing in it is run."""
    from .. import importers as convert
    from .. import outputs
    from ..variant import variant as find
    from ..weights import checkpoint

    targets = [(out / name, checkpoint.noted("imported_from")) for name in checkpoint.FILES]
    outputs.claim(targets, [file], overwrite=overwrite)
    if encoder and not variant:
        raise ZooError("--encoder needs --variant: what the encoder becomes a part of")
    network = convert.import_encoder(file, find(variant)) if encoder and variant else convert.import_file(file, variant)
    name = network.variant.name
    part = {"encoder_only": True} if encoder else {}
    checkpoint.save(network, out, {"imported_from": file.name, "sha256": checkpoint.digest(file), **part})
    if encoder and not json:
        console.out.print(
            f"{out}: {name}, its encoder from {file.name}; next: zoo train -m {name} --init {out}", soft_wrap=True
        )
    elif json:
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
            "zoo import efficientnet-lite0-57934424.pth --encoder --variant fastdepth_lite -o start/",
        ),
    )(import_)
