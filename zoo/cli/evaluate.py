"""zoo eval."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from .. import console
from ..errors import ZooError
from .options import Dataset, Json, Model, Overwrite, Scale, Threads, examples

COMMAND = "eval"


def evaluate(
    dataset: Dataset,
    model: Model = "fastdepth_pruned",
    protocol: Annotated[
        str, typer.Option(help="published: centre crop, nearest. whole: the whole picture, at its own size.")
    ] = "published",
    scale: Scale = 1000,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many frames by name.")] = None,
    worst: Annotated[Path | None, typer.Option(help="Picture to write: the frames it does worst on.")] = None,
    threads: Threads = 2,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Measure a network against measured depth."""
    import torch

    from .. import outputs
    from ..data.frames import frames as read
    from ..evaluation.evaluate import PROTOCOLS, evaluate, evaluation_frames
    from ..visual import gallery
    from ..weights.load import load

    if protocol not in PROTOCOLS:
        raise ZooError(f"no protocol {protocol!r}; there are {' and '.join(PROTOCOLS)}")
    if worst:
        outputs.claim([(worst, outputs.marked(COMMAND))], overwrite=overwrite)
    torch.set_num_threads(threads)
    network = load(model)
    found = read(dataset, scale)
    with console.progress(f"evaluating {model}") as tick:
        ready, skipped = evaluation_frames(found[-last:] if last else found, protocol, tick)
        report(skipped)
        scores, rows = evaluate(network, ready, tick)
    if worst:
        gallery.worst(network, ready, rows, worst, outputs.mark(COMMAND))
    extra = {"model": model, "frames": [{"name": f.name} | row for f, row in zip(ready, rows, strict=True)]}
    show(f"{model} on {dataset}", protocol, len(ready), scores, json, extra)
    if worst and not json:
        console.out.print(f"the worst of them: {worst}", soft_wrap=True)


def report(skipped: list[str]) -> None:
    """Name the files that were left out: the first few, and how many in all."""
    for reason in skipped[:3]:
        console.warn("left out:", reason)
    if len(skipped) > 3:
        console.warn("left out:", f"{len(skipped)} files in all")


def show(
    title: str, protocol: str, frames: int, scores: dict[str, float], json: bool, extra: Mapping[str, object]
) -> None:
    """Metrics as a table, or as JSON with their conditions."""
    from ..evaluation.evaluate import FARTHEST_M

    mask = f"0 < depth < {FARTHEST_M} m"
    if json:
        console.show_json({"protocol": protocol, "mask": mask, "count": frames, "metrics": scores, **extra})
        return
    console.heading(f"{title}: mean over {frames} frames, {protocol} protocol, mask {mask}")
    table = console.table("metric", "value ")
    for name, value in scores.items():
        table.add_row(name, f"{value:.3f}")
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "eval",
        epilog=examples(
            "zoo eval -m fastdepth_pruned --dataset nyu_train/ --last 80",
            "zoo eval -m runs/pruned --dataset nyu_train/ --protocol whole --worst worst.png --json",
        ),
    )(evaluate)
