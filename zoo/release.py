"""Make a finished run the bundled checkpoint of its variant: weights, notes, card, and the record that pins them.

    python -m zoo.release runs/fastdepth --frames nyu_train/ --hardware "2 cores of …" --story "…" --command "zoo train …"

For maintainers. The folder it writes, zoo/checkpoints/VARIANT, is byte for byte what `zoo push` uploads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from . import card, checkpoint, console, image, picture
from .data.frames import frames as read
from .evaluate import FARTHEST_M, Judged, evaluate, judged, predict
from .files import put
from .hub import BUNDLED, EXAMPLE
from .loading import load
from .network import FastDepth, count
from .predict import Predictor
from .recipe import Recipe
from .variant import FOLDER, Variant

RECIPES = FOLDER.parent / "recipes"
ROOM = FOLDER.parent.parent / "examples" / "room.jpg"


def release(
    run: Annotated[Path, typer.Argument(help="Checkpoint folder that zoo train wrote.")],
    frames: Annotated[Path, typer.Option(help="The frames it was trained on, less those held out.")],
    hardware: Annotated[str, typer.Option(help="What it was trained on, for the card.")],
    story: Annotated[str, typer.Option(help="A sentence on where it began, for the card.")],
    teacher: Annotated[Path, typer.Option(help="The network that labelled the photos, to compare with.")],
    command: Annotated[list[str], typer.Option(help="The commands that made it, in order.")],
    hold_out: Annotated[int, typer.Option(help="As given to zoo train.")] = 80,
    status: Annotated[str, typer.Option(help="preview or released.")] = "preview",
) -> None:
    """Evaluate a run and bundle it."""
    network = load(str(run))
    variant = network.variant
    trained = checkpoint.config(run)[1]
    found = read(frames)
    exam, _ = judged(found[-hold_out:], "published", lambda *_: None)
    scores, _ = evaluate(network, exam)
    apart = round(difference(network, load(str(teacher)), exam), 4)
    conditions: dict[str, Any] = {"frames": len(exam), "recipe": "published", "mask": f"0 < depth < {FARTHEST_M} m"}
    notes = {
        "status": status,
        "commands": command,
        "story": story,
        "frames": f"{len(found) - hold_out} of the {len(found)} official training frames of NYU Depth v2",
        "recipe": asdict(Recipe.read(RECIPES / f"{variant.name}.toml")),
        "steps": trained["steps"],
        "minutes": round(trained["seconds"] / 60),
        "hardware": hardware,
        "held_out": conditions | {key: round(value, 4) for key, value in scores.items()} | {"from_teacher": apart},
    }
    folder = BUNDLED / variant.name
    checkpoint.save(network, folder, notes)
    pixels = image.read(ROOM)
    picture.write(picture.montage(pixels, Predictor(network)(pixels)), folder / EXAMPLE)
    put(folder / "README.md", card.card(variant, notes, count(network, *variant.input)[0]).encode())
    _pin(variant, folder / checkpoint.WEIGHTS, status, story)
    console.out.print(f"{folder}: delta1 {scores['delta1']:.3f}, RMSE {scores['rmse_m']:.3f} m", soft_wrap=True)


def difference(network: FastDepth, teacher: FastDepth, frames: Sequence[Judged]) -> float:
    """Median of |a - b| / b over all pixels of all frames, b being the teacher's depth."""
    pairs = [(predict(network, frame), predict(teacher, frame)) for frame in frames]
    return float(np.median([np.abs(a - b) / np.maximum(b, 1e-3) for a, b in pairs]))


def _pin(variant: Variant, weights: Path, status: str, story: str) -> None:
    path = FOLDER / f"{variant.name}.toml"
    record = {
        "repo": variant.name.replace("_", "-"),
        "file": checkpoint.WEIGHTS,
        "sha256": checkpoint.digest(weights),
        "size": weights.stat().st_size,
        "licence": "MIT",
        "data": "NYU Depth v2 (research use) and photographs, some for research use; see its card",
        "origin": f"{story} Distilled in part from the authors' pruned network; see its card",
        "status": status,
    }
    section = "[weights]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in record.items())
    text = re.sub(r"\n\[weights\]\n.*?(?=\n\[|\Z)", "", path.read_text(), flags=re.S)
    before, claims, after = text.partition("\n[[claims]]")
    put(path, f"{before.rstrip()}\n\n{section}{claims}{after}".encode())


if __name__ == "__main__":
    typer.run(release)
