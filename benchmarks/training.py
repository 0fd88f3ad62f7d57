"""How the bundled networks learned: a picture of their training logs.

python benchmarks/training.py docs/training-fastdepth.csv docs/training-fastdepth_pruned.csv -o docs/training.svg
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer


def draw(
    logs: Annotated[list[Path], typer.Argument(help="log.csv of runs, named training-VARIANT.csv.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Picture to write.")],
) -> None:
    """Draw delta1 and median-scaled delta1 on the held-out frames over the minutes of training."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "training"
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    for colour, log in zip(("#f3823c", "#82207a", "#3e166a"), logs, strict=False):
        rows = list(csv.DictReader(log.read_text().splitlines()))
        minutes = [float(row["seconds"]) / 60 for row in rows]
        for key, style, word in (("delta1", "-", ""), ("delta1_scaled", ":", ", median-scaled")):
            label = f"{log.stem.removeprefix('training-')}{word}"
            axis.plot(minutes, [float(row[key]) for row in rows], style, color=colour, label=label)
    axis.set_xlabel("minutes")
    axis.set_ylabel("delta1, 80 held-out frames")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    typer.run(draw)
