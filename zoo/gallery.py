"""Frames as rows of a picture: what the network saw, what it said, what was measured; the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .evaluate import Judged, Network, predict
from .picture import check_format, colours, limits, write

SIDE = 224
ROWS = 6
GAP = 8
LINE = 22


def worst(network: Network, frames: Sequence[Judged], rows: Sequence[dict[str, float]], path: Path) -> None:
    """Write the frames with the lowest delta1. Each row has colours of its own, from its measured depth's range."""
    check_format(path)
    order = sorted(range(len(frames)), key=lambda i: rows[i]["delta1"])[:ROWS]
    canvas = Image.new("RGB", (3 * SIDE + 4 * GAP, len(order) * (SIDE + LINE + GAP) + GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=14)
    for place, i in enumerate(order):
        frame, top = frames[i], GAP + place * (SIDE + LINE + GAP)
        near, far = limits(frame.depth[frame.mask])
        measured = colours(frame.depth, near, far)
        measured[~frame.mask] = 160
        seen = (frame.view.transpose(1, 2, 0) * 255).round().astype(np.uint8)
        for column, pixels in enumerate((seen, colours(predict(network, frame), near, far), measured)):
            tile = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            canvas.paste(tile, (GAP + column * (SIDE + GAP), top + LINE))
        words = f"{Path(frame.name).name}: delta1 {rows[i]['delta1']:.2f}, RMSE {rows[i]['rmse_m']:.2f} m"
        draw.text((GAP, top), f"{words}; picture, predicted, measured, {near:g} to {far:g} m", "black", font)
    write(np.asarray(canvas), path)
