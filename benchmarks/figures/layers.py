"""Every layer of the pruned network: ours, ONNX Runtime, and what the machine allows at most."""

from __future__ import annotations

import json
from typing import Any

from ..layers import limit_ms
from . import GREY, OTHER, OURS, RESULTS, canvas


def draw() -> Any:
    """Bars per layer, from results/layers-zen4.jsonl."""
    rows = [json.loads(line) for line in (RESULTS / "layers-zen4.jsonl").read_text().splitlines()]
    times = {name: [row["p50_ms"] for row in rows if row["runtime"] == name] for name in ("zoo", "onnxruntime")}
    ours = [row for row in rows if row["runtime"] == "zoo"]
    limits = [limit_ms(row) for row in ours]
    figure, axis = canvas(10, 4.2)
    places = range(len(ours))
    names = {"zoo": "compiled here", "onnxruntime": f"ONNX Runtime {rows[-1]['versions']['onnxruntime']}"}
    for (name, values), colour, shift in zip(times.items(), (OURS, OTHER), (-0.2, 0.2), strict=True):
        label = f"{names[name]}, {sum(values):.2f} ms in all"
        axis.bar([place + shift for place in places], values, 0.4, color=colour, label=label)
    label = f"limit, {sum(limits):.2f} ms: {ours[0]['peak_gmacs_per_s']:.1f} GMAC/s, {ours[0]['copy_gbytes_per_s']:.0f} GB/s"
    axis.hlines(limits, [p - 0.42 for p in places], [p + 0.42 for p in places], color="black", lw=1.4, label=label)
    axis.set_xticks(places, [_short(row["layer"]) for row in ours], rotation=90, fontsize=7)
    axis.set(xlim=(-0.7, len(ours) - 0.3), ylabel="ms, one thread", ylim=(0, None))
    axis.yaxis.grid(color=GREY)
    axis.set_axisbelow(True)
    axis.legend(loc="upper center")
    axis.set_title(f"{ours[0]['model']}, every layer, {ours[0]['hardware']}")
    return figure


def _short(layer: str) -> str:
    return layer.replace("depthwise", "dw").replace("pointwise", "pw")
