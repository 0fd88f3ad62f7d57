"""zoo eval."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console
from ..errors import ZooError
from .options import Camera, Dataset, Json, Model, Overwrite, Scale, Threads, examples

COMMAND = "eval"

if TYPE_CHECKING:
    from ..evaluation.protocols import Protocol


def evaluate(
    dataset: Dataset,
    model: Model = "fastdepth_pruned",
    protocol: Annotated[
        str,
        typer.Option(
            help="published: centre crop, nearest. whole: the whole picture, at its own size. "
            "eigen: the whole picture, over the crop of NYU Depth v2 that most tables use."
        ),
    ] = "published",
    scale: Scale = None,
    camera: Camera = None,
    first: Annotated[int | None, typer.Option(min=1, help="Only the first so many frames by name.")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many frames by name.")] = None,
    worst: Annotated[Path | None, typer.Option(help="Picture to write: the frames it does worst on.")] = None,
    threads: Threads = 2,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Measure a network against measured depth."""
    import torch

    from .. import outputs
    from ..camera.lens import Lens
    from ..data.frames import frames as read
    from ..evaluation.evaluate import evaluate, evaluation_frames
    from ..evaluation.protocols import protocol as find
    from ..evaluation.units import fitting_scale
    from ..visual import gallery
    from ..weights.load import load

    how, lens = find(protocol), Lens.parse(camera) if camera else None
    if first and last:
        raise ZooError("give either --first or --last")
    if worst:
        outputs.claim([(worst, outputs.marked(COMMAND))], overwrite=overwrite)
    torch.set_num_threads(threads)
    network = load(model)
    found = read(dataset, scale)
    with console.progress(f"evaluating {model}") as on_progress:
        ready, skipped = evaluation_frames(found[:first][-last if last else None :], how, on_progress, lens)
        report(skipped)
        scores, rows = evaluate(network, ready, on_progress)
    if worst:
        gallery.worst(network, ready, rows, worst, outputs.mark(COMMAND))
    fits = fitting_scale(scores, found[0].scale)
    if fits:
        off, apart = scores["depth_bias"] + 1, "smaller" if scores["depth_bias"] > 0 else "larger"
        console.warn(
            "scale:",
            f"these depths are {max(off, 1 / off):.2g} times {apart} than predicted, though shapes agree (median-scaled delta1 "
            f"{scores['delta1_scaled']:.2f}); if they are in another unit, --scale {fits:g} fits",
        )
    extra: dict[str, object] = {"model": model, "camera": camera, "scale": found[0].scale, "fitting_scale": fits}
    extra["frames"] = [{"name": f.name} | row for f, row in zip(ready, rows, strict=True)]
    show(f"{model} on {dataset}", how, len(ready), scores, json, extra)
    if worst and not json:
        console.out.print(f"the worst of them: {worst}", soft_wrap=True)


def report(skipped: list[str]) -> None:
    """Name the files that were left out: the first few, and how many in all."""
    for reason in skipped[:3]:
        console.warn("left out:", reason)
    if len(skipped) > 3:
        console.warn("left out:", f"{len(skipped)} files in all")


def show(
    title: str, protocol: Protocol, frames: int, scores: dict[str, float], json: bool, extra: Mapping[str, object]
) -> None:
    """Metrics as a table, as predicted and after scaling each frame to its median, or as JSON with their conditions."""
    from ..evaluation.metrics import ERRORS

    if json:
        conditions = {"protocol": protocol.name, "mask": protocol.mask, "count": frames}
        console.show_json({**conditions, "metrics": scores, **extra})
        return
    console.heading(f"{title}: mean over {frames} frames, {protocol.name} protocol, mask {protocol.mask}")
    table = console.table("metric", "as predicted ", "median-scaled ")
    for name in ERRORS:
        table.add_row(name, f"{scores[name]:.3f}", f"{scores[name + '_scaled']:.3f}")
    table.add_row("depth_bias", f"{scores['depth_bias']:+.1%}", "")
    table.add_row("depth_spread", f"{scores['depth_spread']:.1%}", "")
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "eval",
        epilog=examples(
            "zoo eval -m fastdepth_pruned --dataset nyu_train/ --last 80",
            "zoo eval -m runs/pruned --dataset nyu_train/ --protocol whole --worst worst.png --json",
            "zoo eval --dataset frames/ --protocol whole --camera camera_info.yaml",
        ),
    )(evaluate)
