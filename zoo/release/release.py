"""Make a finished run the bundled checkpoint of its variant: weights, notes, card, recipe, and the record that pins them.

    python -m zoo.release runs/fastdepth --config long.toml --dataset nyu_train/ --teacher teacher/ --hardware "a core of …" \\
        --story "…" --command "zoo train …"
    python -m zoo.release zoo/checkpoints/fastdepth --dataset nyu_train/ --teacher teacher/    # its card anew

For maintainers. The folder it writes, zoo/checkpoints/VARIANT, is byte for byte what `zoo push` uploads.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import console
from ..data.frames import frames as read
from ..data.frames import rooms
from ..errors import ZooError
from ..evaluation.evaluate import EvaluationFrame, evaluate, evaluation_frames, predict
from ..evaluation.protocols import PROTOCOLS
from ..files import write_atomic
from ..model.network import FastDepth, count
from ..training import recipe_v1
from ..training.recipe import Recipe
from ..variant import FOLDER, Variant
from ..variant import variant as find
from ..visual import gallery
from ..weights import checkpoint
from ..weights.hub import BUNDLED, EXAMPLE
from ..weights.load import load
from . import card

RECIPES, DOCS = FOLDER.parent / "recipes", FOLDER.parent.parent / "docs"
ROOMS = range(1_000_000, 1_000_040)  # seeds far from those of zoo train --rooms, which count from 0
POINTS = 8  # of a card's curve


def release(
    run: Annotated[Path, typer.Argument(help="Checkpoint folder that zoo train wrote, or a bundled one.")],
    dataset: Annotated[Path, typer.Option(help="The frames it was trained on, and those held out.")],
    teacher: Annotated[Path, typer.Option(help="The network that labelled the photos, to compare with.")],
    hardware: Annotated[str, typer.Option(help="What it was trained on, for the card.")] = "",
    story: Annotated[str, typer.Option(help="A sentence on where it began, for the card.")] = "",
    command: Annotated[list[str] | None, typer.Option(help="The commands that made it, in order.")] = None,
    config: Annotated[Path | None, typer.Option(help="Its recipe; default zoo/recipes/VARIANT.toml.")] = None,
    trained_on_rooms: Annotated[int, typer.Option(help="As given to zoo train --rooms.")] = 0,
    hold_out: Annotated[int, typer.Option(help="As given to zoo train.")] = 80,
    reserve: Annotated[int, typer.Option(help="As given to zoo train.")] = 0,
    status: Annotated[str, typer.Option(help="preview or released.")] = "preview",
    licence: Annotated[str, typer.Option(help="Of the weights, by its SPDX name.")] = "MIT",
    photographs: Annotated[str | None, typer.Option(help="Which photographs, labelled by what, for the card.")] = None,
    began_with: Annotated[str | None, typer.Option(help="Whose weights it began with, and their licence.")] = None,
) -> None:
    """Evaluate a run and bundle it; a bundled checkpoint keeps its weights and what is known of them."""
    network = load(str(run))
    variant = network.variant = _same(network.variant)
    recipe = config or RECIPES / f"{variant.name}.toml"
    notes = recipe_v1.notes(checkpoint.config(run)[1])
    found = read(dataset)
    if "story" not in notes:
        if not (hardware and story and command):
            raise ZooError(f"{run}: its card needs --hardware, --story and --command")
        _check(notes, recipe)
        notes = {
            "status": status,
            "commands": command,
            "story": story,
            "frames": f"{len(found) - hold_out - reserve} of the {len(found)} official training frames of NYU Depth v2",
            "trained_on_rooms": trained_on_rooms,
            "recipe": Recipe.read(recipe).record(),
            "steps": notes["steps"],
            "minutes": round(notes["seconds"] / 60),
            "hardware": hardware,
        }
        said = {"photographs": photographs, "began_with": began_with and f" {began_with}"}
        notes |= {key: text for key, text in said.items() if text} | ({} if licence == "MIT" else {"licence": licence})
        write_atomic(DOCS / f"training-{variant.name}.csv", (run / "log.csv").read_bytes())
        write_atomic(RECIPES / f"{variant.name}.toml", recipe.read_bytes())
    notes = {"trained_on_rooms": 0} | notes | {"curve": curve(DOCS / f"training-{variant.name}.csv")}
    known = load(str(teacher))
    folder, how = BUNDLED / variant.name, PROTOCOLS["published"]
    for name, kind in (("held_out", found[-hold_out:]), ("rooms", rooms(ROOMS))):
        ready, _ = evaluation_frames(kind, how, lambda *_: None)
        scores, rows = evaluate(network, ready)
        notes[name] = {
            **{"frames": len(ready), "protocol": how.name, "mask": how.mask},
            **{key: round(value, 4) for key, value in scores.items()},
            "from_teacher": round(difference(network, known, ready), 4),
        }
        console.out.print(f"{name}: delta1 {scores['delta1']:.3f}, RMSE {scores['rmse_m']:.3f} m", soft_wrap=True)
    gallery.cases(network, ready, rows, folder / EXAMPLE)  # of the rooms: those pictures are ours to show
    checkpoint.save(network, folder, notes)
    write_atomic(folder / "README.md", card.card(variant, notes, count(network, *variant.input)[0]).encode())
    _pin(variant, folder / checkpoint.WEIGHTS, notes)
    console.out.print(str(folder), soft_wrap=True)


def _same(trained: Variant) -> Variant:
    known = find(trained.name)
    if (known.encoder_widths, known.decoder_widths) != (trained.encoder_widths, trained.decoder_widths):
        raise ZooError(f"the run's widths are not those of {trained.name} in zoo/variants")
    return known


def _check(notes: dict[str, Any], recipe: Path) -> None:
    if Recipe.parse(notes["recipe"]) != Recipe.read(recipe):
        raise ZooError(f"{recipe}: not the recipe of this run, which was {json.dumps(notes['recipe'])}")


def difference(network: FastDepth, teacher: FastDepth, frames: Sequence[EvaluationFrame]) -> float:
    """Median of |a - b| / b over all pixels of all frames, b being the teacher's depth."""
    pairs = [(predict(network, frame), predict(teacher, frame)) for frame in frames]
    return float(np.median([np.abs(a - b) / np.maximum(b, 1e-3) for a, b in pairs]))


def curve(log: Path) -> list[list[float]]:
    """[minutes, loss, delta1] at a few points of a run's log, evenly apart, the last among them."""
    rows = list(csv.DictReader(log.read_text().splitlines()))
    chosen = sorted({round(i) for i in np.linspace(0, len(rows) - 1, POINTS)})
    return [[round(float(rows[i]["seconds"]) / 60), float(rows[i]["loss"]), float(rows[i]["delta1"])] for i in chosen]


def _pin(variant: Variant, weights: Path, notes: dict[str, Any]) -> None:
    """Write the variant's record of its weights; one that had none moves to those that have."""
    path, study = (folder / f"{variant.name}.toml" for folder in (FOLDER, FOLDER / "study"))
    record = {
        "repo": variant.name.replace("_", "-"),
        "file": checkpoint.WEIGHTS,
        "sha256": checkpoint.digest(weights),
        "size": weights.stat().st_size,
        "licence": notes.get("licence", "MIT"),
        "data": "NYU Depth v2 (research use) and photographs, some for research use; see its card",
        "origin": f"{notes['story']} Distilled in part from the authors' pruned network; see its card",
        "status": notes["status"],
    }
    section = "[weights]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in record.items())
    text = (path if path.exists() else study).read_text()
    text = re.sub(r"\n\[weights\]\n.*?(?=\n\[|\Z)", "", text, flags=re.S)
    before, claims, after = text.partition("\n[[claims]]")
    write_atomic(path, f"{before.rstrip()}\n\n{section}{claims}{after}".encode())
    study.unlink(missing_ok=True)


if __name__ == "__main__":
    typer.run(release)
