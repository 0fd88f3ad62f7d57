"""Frames as rows of a picture: what the network saw, the true depth, what it said, and by how much that is off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..evaluation.evaluate import EvaluationFrame, Network, predict
from .picture import LEGEND, SIGNED, check_format, colours, legend, limits, write

TILE = (240, 180)  # width, height: the shape of the published crop
ROWS = 6
GAP = 8
LINE = 22
UNKNOWN = 160  # grey, where there is no true depth

COLUMNS = ("picture", "true depth", "predicted depth", "predicted - true")

Rows = Sequence[dict[str, float]]


def worst(network: Network, frames: Sequence[EvaluationFrame], rows: Rows, path: Path, software: str = "") -> None:
    """Write the frames with the lowest delta1, the worst first."""
    order = _order(rows)[:ROWS]
    titles = [f"{Path(frames[i].name).name}: {_said(rows[i])}" for i in order]
    draw(network, [frames[i] for i in order], titles, path, software)


def cases(network: Network, frames: Sequence[EvaluationFrame], rows: Rows, path: Path) -> None:
    """Write the best, the middle and the worst frame by delta1."""
    order = _order(rows)[::-1]
    chosen = {"best": order[0], "middle": order[len(order) // 2], "worst": order[-1]}
    titles = [f"{word} of {len(frames)}: {_said(rows[i])}" for word, i in chosen.items()]
    draw(network, [frames[i] for i in chosen.values()], titles, path)


def _order(rows: Rows) -> list[int]:
    return sorted(range(len(rows)), key=lambda i: rows[i]["delta1"])


def _said(row: dict[str, float]) -> str:
    return f"delta1 {row['delta1']:.2f}, RMSE {row['rmse_m']:.2f} m"


def draw(
    network: Network,
    frames: Sequence[EvaluationFrame],
    titles: Sequence[str],
    path: Path,
    software: str = "",
    columns: Sequence[str] = COLUMNS,
    least: float = 0.5,
) -> None:
    """Write a row for each frame. All rows share the two legends: of depth, and of the error, warm where too far, which
    reaches at least `least` metres."""
    check_format(path)
    guesses = [predict(network, frame) for frame in frames]
    near, far = limits(np.concatenate([*(frame.depth[frame.mask] for frame in frames), *map(np.ravel, guesses)]))
    errors = [guess - frame.depth for guess, frame in zip(guesses, frames, strict=True)]
    size = np.concatenate([np.abs(e[frame.mask]) for e, frame in zip(errors, frames, strict=True)])
    most = max(least, float(np.ceil(np.percentile(size, 98) / least) * least))

    (wide, high), step = TILE, TILE[1] + LINE + GAP
    lefts = [GAP + column * (wide + GAP) + (LEGEND if column == 3 else 0) for column in range(4)]
    canvas = Image.new("RGB", (lefts[3] + wide + GAP + LEGEND, LINE + len(frames) * step + GAP), "white")
    ink, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=14)
    for left, words in zip(lefts, columns, strict=True):
        ink.text((left, GAP // 2), words, "grey", font)
    for place, (frame, guess, error) in enumerate(zip(frames, guesses, errors, strict=True)):
        top = LINE + place * step
        seen = (frame.view.transpose(1, 2, 0) * 255).round().astype(np.uint8)
        truth, off = colours(frame.depth, near, far), colours(error, -most, most, SIGNED)
        truth[~frame.mask] = off[~frame.mask] = UNKNOWN
        for left, pixels in zip(lefts, (seen, truth, colours(guess, near, far), off), strict=True):
            canvas.paste(Image.fromarray(pixels).resize(TILE, Image.Resampling.BILINEAR), (left, top + LINE))
        canvas.paste(legend(high, near, far), (lefts[2] + wide + GAP, top + LINE))
        canvas.paste(legend(high, -most, most, SIGNED), (lefts[3] + wide + GAP, top + LINE))
        ink.text((GAP, top + 2), titles[place], "black", font)
    write(np.asarray(canvas), path, software)
