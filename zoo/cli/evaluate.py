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
    recipe: Annotated[
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
    from ..evaluation.evaluate import RECIPES, evaluate, judged
    from ..visual import gallery
    from ..weights.load import load

    if recipe not in RECIPES:
        raise ZooError(f"no recipe {recipe!r}; there are {' and '.join(RECIPES)}")
    if worst:
        outputs.claim([(worst, outputs.marked(COMMAND))], overwrite=overwrite)
    torch.set_num_threads(threads)
    network = load(model)
    found = read(dataset, scale)
    with console.progress(f"judging {model}") as tick:
        exam, skipped = judged(found[-last:] if last else found, recipe, tick)
        report(skipped)
        scores, rows = evaluate(network, exam, tick)
    if worst:
        gallery.worst(network, exam, rows, worst, outputs.mark(COMMAND))
    extra = {"model": model, "frames": [{"name": f.name} | row for f, row in zip(exam, rows, strict=True)]}
    show(f"{model} on {dataset}", recipe, len(exam), scores, json, extra)
    if worst and not json:
        console.out.print(f"the worst of them: {worst}", soft_wrap=True)


def report(skipped: list[str]) -> None:
    """Name the files that were left out: the first few, and how many in all."""
    for reason in skipped[:3]:
        console.warn("left out:", reason)
    if len(skipped) > 3:
        console.warn("left out:", f"{len(skipped)} files in all")


def show(
    title: str, recipe: str, frames: int, scores: dict[str, float], json: bool, extra: Mapping[str, object]
) -> None:
    """Metrics as a table, or as JSON with their conditions."""
    from ..evaluation.evaluate import FARTHEST_M

    mask = f"0 < depth < {FARTHEST_M} m"
    if json:
        console.show_json({"recipe": recipe, "mask": mask, "count": frames, "metrics": scores, **extra})
        return
    console.heading(f"{title}: mean over {frames} frames, {recipe} recipe, mask {mask}")
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
            "zoo eval -m runs/pruned --dataset nyu_train/ --recipe whole --worst worst.png --json",
        ),
    )(evaluate)
