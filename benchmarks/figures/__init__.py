"""The pictures of the documents, drawn from kept rows: python -m benchmarks.figures, or make figures.

One file per picture, each with draw() -> Figure or pixels. What they share is here: size, colours, and how they are saved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
DOCS, RESULTS = ROOT / "docs", ROOT / "benchmarks" / "results"
OURS, OTHER, THIRD, FOURTH, PALE, GREY = "#82207a", "#f3823c", "#2a6f97", "#3a7d44", "#e5dce9", "#8a8a8a"


def canvas(width: float, height: float, **options: Any) -> tuple[Any, Any]:
    """(figure, axes) in the project's one style; inches."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {
        "svg.hashsalt": "fastdepth",  # the same names in the file every time
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.labelsize": 9,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "legend.fontsize": 8,
    }
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height), layout="constrained", **options)


def save(figure: Any, path: Path) -> None:
    """Write a figure as SVG without a date."""
    from matplotlib import pyplot

    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
