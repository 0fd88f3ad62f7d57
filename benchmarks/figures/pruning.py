"""How a search for widths went: delta1 against cost along its iterations, and the widths before and after.

docs/pruning.json is the search.json of `zoo prune`, with `trained` beside it: networks of equal cost and equal training,
{name: [MACs, delta1]}.
"""

from __future__ import annotations

import json
from typing import Any

from zoo.prune.widths import blocks
from zoo.variant import variant

from . import DOCS, OTHER, OURS, PALE, canvas


def draw() -> Any:
    """The search with the networks compared with it, and the widths of every block."""
    report = json.loads((DOCS / "pruning.json").read_text())
    figure, (curve, bars) = canvas(10, 3.8, ncols=2, width_ratios=(1, 1.3))
    steps = report["iterations"]
    costs, merits = [s["cost"] / 1e6 for s in steps], [s["delta1"] for s in steps]
    curve.plot(costs, merits, "o-", color=OURS, label="search, 40 frames")
    for (name, (macs, delta1)), mark in zip(report["trained"].items(), "s^vD", strict=False):
        curve.plot(macs / 1e6, delta1, mark, color=OTHER, label=f"{name}, 80 held-out")
    curve.set(xlabel="M multiply-accumulates", ylabel="delta1")
    curve.invert_xaxis()
    curve.grid()
    curve.legend(loc="lower left")

    before = blocks(variant(report["from"]))
    after = dict(before) | {block: s["width"] for s in steps for block in s["group"]}
    published = blocks(variant("fastdepth_pruned"))
    places = range(len(before))
    bars.bar(places, before.values(), color=PALE, label=report["from"])
    bars.bar([p - 0.2 for p in places], after.values(), 0.4, color=OURS, label="NetAdapt here")
    bars.bar([p + 0.2 for p in places], [published[b] for b in before], 0.4, color=OTHER, label="published")
    bars.set_xticks(places, before, rotation=90)
    bars.set_ylabel("filters")
    bars.legend()
    return figure
