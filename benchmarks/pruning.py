"""How a search for widths went: delta1 against cost along its iterations, and the widths before and after.

python benchmarks/pruning.py docs/pruning.json -o docs/pruning.svg

The file is the search.json of `zoo prune`, with `trained` beside it: networks of equal cost and equal training,
{name: [MACs, delta1]}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from zoo.prune.widths import blocks
from zoo.variant import variant

FOUND, PUBLISHED = "#82207a", "#f3823c"


def draw(
    log: Annotated[Path, typer.Argument(help="search.json of zoo prune.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Picture to write.")],
) -> None:
    """Draw the search, the networks compared with it, and the widths of every block."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "pruning"
    from matplotlib import pyplot

    report = json.loads(log.read_text())
    figure, (curve, bars) = pyplot.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=(1, 1.3))
    steps = report["iterations"]
    curve.plot(
        [s["cost"] / 1e6 for s in steps],
        [s["delta1"] for s in steps],
        "o-",
        color=FOUND,
        markersize=4,
        label="during the search (40 frames)",
    )
    marks = zip("s^vD", ("#8a8a8a", FOUND, "#2a78a8", PUBLISHED), strict=True)
    for (name, (macs, delta1)), (mark, colour) in zip(report["trained"].items(), marks, strict=False):
        curve.plot(macs / 1e6, delta1, mark, color=colour, markersize=8, label=f"{name} (80 held out)")
    curve.set_xlabel("M multiply-accumulates")
    curve.set_ylabel("delta1")
    curve.invert_xaxis()
    curve.grid(alpha=0.3)
    curve.legend(frameon=False, fontsize=8, loc="lower left")

    before = blocks(variant(report["from"]))
    after = dict(before) | {block: s["width"] for s in steps for block in s["group"]}
    published = blocks(variant("fastdepth_pruned"))
    places = range(len(before))
    bars.bar(places, before.values(), color="#e0e0e0", label=report["from"])
    bars.bar([p - 0.2 for p in places], after.values(), 0.4, color=FOUND, label="NetAdapt here")
    bars.bar([p + 0.2 for p in places], [published[b] for b in before], 0.4, color=PUBLISHED, label="published")
    bars.set_xticks(places, before, rotation=90, fontsize=8)
    bars.set_ylabel("filters")
    bars.legend(frameon=False, fontsize=8)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    typer.run(draw)
