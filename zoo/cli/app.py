"""The command `zoo`. The composition root: commands import what they need when they run."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from .. import console
from ..errors import ZooError
from ..kernels.errors import KernelError
from ..variant import catalogue
from . import compile as kernels_cli
from . import demo as cli_demo
from . import hub as cli_hub
from . import predict as cli_predict
from . import pruning as cli_pruning
from . import training as cli_training
from .options import Overwrite

app = typer.Typer(
    name="zoo",
    help="Metric depth from one camera: pretrained FastDepth networks, compiled for small machines.",
    epilog="Start with: zoo predict photo.jpg -o depth.png",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]
Model = Annotated[str, typer.Option("-m", "--model", help="A variant (zoo list) or a checkpoint folder.")]


def examples(*lines: str) -> str:
    """An epilog of commands to copy."""
    return "[bold]Examples[/bold]\n\n" + "\n\n".join(lines)


@app.command("list", epilog=examples("zoo list", "zoo list --all", "zoo list --json"))
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those without weights too.")] = False, json: Json = False
) -> None:
    """Show the variants of the zoo."""
    study = catalogue(study=True) if all_ else ()
    if json:
        console.show_json([asdict(v) for v in (*catalogue(), *study)])
        return
    table = console.table("variant", "weights", "size ", "licence", "what it is")
    for v in catalogue():
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


@app.command(epilog=examples("zoo info fastdepth_pruned", "zoo info fastdepth --json"))
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


@app.command(
    "import",
    epilog=examples(
        "zoo import fast_depth_224.tflite -o imported/",
        "zoo import mobilenet-nnconv5dw-skipadd.pth.tar -o imported/",
    ),
)
def import_(
    file: Annotated[Path, typer.Argument(help="TFLite and ONNX (float, int8), .pth.tar, .pth, .pt or .safetensors.")],
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


@app.command(
    epilog=examples(
        "zoo export -m fastdepth_pruned --format onnx -o fastdepth.onnx",
        "zoo export --format tflite -o fastdepth.tflite",
    )
)
def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")],
    form: Annotated[str, typer.Option("--format", help="onnx, tflite, pt2 (torch.export) or torchscript.")] = "onnx",
    model: Model = "fastdepth_pruned",
    input_: Annotated[str | None, typer.Option("--input", help="Sides, HEIGHTxWIDTH, multiples of 32.")] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write a network for other tools, run what was written, and compare it with eager."""
    from .. import outputs
    from ..exporters import COMMAND
    from ..exporters import export as run
    from ..weights.load import load
    from .compile import sides

    outputs.claim([(out, outputs.marked(COMMAND))], overwrite=overwrite)
    network = load(model)
    height, width = sides(input_) if input_ else network.variant.input
    error = run(network, form, out, height, width)
    row = {"file": str(out), "format": form, "model": network.variant.name, "input": [1, 3, height, width]}
    if json:
        console.show_json(row | {"max_abs_error_m": error})
    else:
        console.out.print(f"{out}: {form}, 1x3x{height}x{width}, differs from eager by {error:.0e} m", soft_wrap=True)


cli_predict.register(app, examples)
cli_demo.register(app, examples)
cli_training.register(app, examples)
cli_pruning.register(app, examples)
cli_hub.register(app, examples)
kernels_cli.register(app, examples)


def fail(message: str) -> NoReturn:
    """End with one line and exit code 2."""
    console.complain(message)
    sys.exit(2)


def main() -> None:
    """Run the command line; what a user can mend ends in one line, never in a traceback."""
    try:
        app()
    except (ZooError, KernelError) as error:
        fail(str(error))
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # a full disk, a folder one may not write to
        fail(f"{error.filename or 'the system'}: {error.strerror or error}")
