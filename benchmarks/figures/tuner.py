"""Searches with and without the tuner's model, as benchmarks/tuner.py kept them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import GREY, OURS, RESULTS, canvas


def draw() -> Any:
    """Median and range over the seeds, against the trials."""
    kept = json.loads((RESULTS / "tuner-znver4.json").read_text())
    figure, axis = canvas(6, 3.6)
    for name, colour in (("random", GREY), ("model", OURS)):
        percent = 100 * (np.array(kept[name]) / kept["best_ms"] - 1)
        axis.plot(kept["trials"], np.median(percent, 0), "o-", color=colour, label=name)
        axis.fill_between(kept["trials"], percent.min(0), percent.max(0), color=colour, alpha=0.15, linewidth=0)
    axis.set(xlabel="settings measured per layer", ylabel="% above the best of all", ylim=(0, None))
    axis.set_title(f"{kept['layers']} layers, {len(kept['model'])} seeds: median and range")
    axis.legend()
    return figure
