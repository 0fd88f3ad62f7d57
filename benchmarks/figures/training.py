"""How the bundled networks learned: delta1 on the held-out frames over the minutes, from the log.csv of their runs."""

from __future__ import annotations

import csv
from typing import Any

from . import DOCS, FOURTH, OTHER, OURS, THIRD, canvas


def draw() -> Any:
    """delta1 and median-scaled delta1 of every docs/training-VARIANT.csv."""
    figure, axis = canvas(7, 3.6)
    for colour, log in zip((OTHER, FOURTH, THIRD, OURS), sorted(DOCS.glob("training-*.csv")), strict=True):
        rows = list(csv.DictReader(log.read_text().splitlines()))
        minutes = [float(row["seconds"]) / 60 for row in rows]
        for key, style, word in (("delta1", "-", ""), ("delta1_scaled", ":", ", median-scaled")):
            label = f"{log.stem.removeprefix('training-')}{word}"
            axis.plot(minutes, [float(row[key]) for row in rows], style, color=colour, label=label)
    axis.set(xlabel="minutes", ylabel="delta1, 80 held-out frames")
    axis.grid()
    axis.legend()
    return figure
