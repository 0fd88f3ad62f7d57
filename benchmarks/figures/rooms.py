"""What the bundled networks see: rendered rooms, their depth by each network, and their exact depth."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SEEDS = (3, 11, 26)
WIDTH, HEIGHT, GAP, LINE = 160, 120, 8, 20
NEAR, FAR = 0.8, 5.5  # metres, the ends of the colours


def draw() -> Any:
    """(H, W, 3) pixels: a row per room."""
    import zoo
    from zoo.data.rooms import render
    from zoo.variant import catalogue
    from zoo.visual.picture import colours

    names = [variant.name for variant in catalogue() if variant.weights]
    predictors = [zoo.Predictor(zoo.load(name)) for name in names]
    titles = ("rendered room", *names, "its exact depth")
    sheet = Image.new("RGB", (len(titles) * (WIDTH + GAP) + GAP, LINE + len(SEEDS) * (HEIGHT + GAP) + LINE), "white")
    for row, seed in enumerate(SEEDS):
        picture, exact = render(seed)
        depths = [predict(picture) for predict in predictors] + [exact]
        for column, pixels in enumerate([picture, *(colours(depth, NEAR, FAR) for depth in depths)]):
            tile = Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
            sheet.paste(tile, (GAP + column * (WIDTH + GAP), LINE + row * (HEIGHT + GAP)))
    sheet = sheet.quantize(256, dither=Image.Dither.NONE).convert("RGB")  # half the bytes
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for column, title in enumerate(titles):
        pen.text((GAP + column * (WIDTH + GAP), 3), title, "black", font)
    top, left, length = sheet.height - LINE, 2 * WIDTH, 2 * WIDTH - 40  # the legend
    ramp = np.linspace(NEAR, FAR, length, dtype=np.float32)[None].repeat(LINE - 8, 0)
    sheet.paste(Image.fromarray(colours(ramp, NEAR, FAR)), (left, top + 2))
    pen.text((left - 6, top + 1), f"{NEAR:g} m", "black", font, anchor="ra")
    pen.text((left + length + 6, top + 1), f"{FAR:g} m", "black", font)
    return np.asarray(sheet)
