"""Accuracy against speed: measured here for every runtime, and published for a TX2, each in an axis of its own."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from . import GREY, OTHER, OURS, RESULTS, ROOT, THIRD, canvas

RUNTIMES = {
    "zoo": ("compiled here", OURS, "o"),
    "onnxruntime": ("ONNX Runtime", OTHER, "s"),
    "openvino-f32": ("OpenVINO, float32", OTHER, "^"),
    "litert": ("LiteRT", OTHER, "D"),
    "ncnn": ("ncnn", OTHER, "v"),
    "torch-compile": ("torch.compile", THIRD, "s"),
    "eager": ("PyTorch eager", THIRD, "o"),
}
NUDGES = {"Eigen & Fergus 2015, VGG": -9, "Xian et al. 2018, UpProj": -3, "Laina et al. 2016, UpConv": 2}  # points


def draw() -> Any:
    """From results/compare-zen4.jsonl, the checkpoints' notes and published.toml."""
    rows = [json.loads(line) for line in (RESULTS / "compare-zen4.jsonl").read_text().splitlines()]
    figure, (here, there) = canvas(10, 3.8, ncols=2)
    _measured(here, [row for row in rows if row["status"] == "ok" and row["threads"] == 1])
    _published(there)
    return figure


def _measured(axis: Any, rows: list[dict[str, Any]]) -> None:
    merits = {}
    for model in dict.fromkeys(row["model"] for row in rows):
        notes = json.loads((ROOT / "zoo" / "checkpoints" / model / "config.json").read_text())["notes"]
        merits[model] = notes["held_out"]["delta1"]
    for runtime, (label, colour, mark) in RUNTIMES.items():
        found = [row for row in rows if row["runtime"] == runtime]
        fps, delta1 = [row["fps"] for row in found], [merits[row["model"]] for row in found]
        axis.plot(fps, delta1, mark, color=colour, label=label, markersize=7, markeredgecolor="white")
    for model, delta1 in merits.items():
        fastest = max(row["fps"] for row in rows if row["model"] == model and row["runtime"] in RUNTIMES)
        axis.hlines(delta1, 0, fastest, color=GREY, lw=0.8, zorder=0)
        axis.annotate(model, (fastest, delta1), (8, 0), textcoords="offset points", va="center", fontsize=8)
    most = max(row["fps"] for row in rows if row["runtime"] in RUNTIMES)
    axis.set(xlim=(0, 1.36 * most), ylim=(min(merits.values()) - 0.015, max(merits.values()) + 0.025))
    axis.set(xlabel="frames per second, one thread", ylabel="delta1, 80 held-out frames")
    axis.set_title(f"Measured here: {rows[0]['hardware']}, float32")
    axis.grid()
    axis.legend(ncols=2, loc="upper left")


def _published(axis: Any) -> None:
    known = tomllib.loads((ROOT / "benchmarks" / "published.toml").read_text())
    for name, _, _, _, delta1, cpu_ms, gpu_ms in known["rows"]:
        ours = name.startswith("FastDepth")
        for ms, mark, label in ((cpu_ms, "o", "processor"), (gpu_ms, "s", "GPU")):
            axis.plot(1e3 / ms, delta1, mark, color=OURS if ours else GREY, markeredgecolor="white", markersize=7)
            if ours:
                axis.plot([], [], mark, color=GREY, label=label)
        axis.hlines(delta1, 1e3 / cpu_ms, 1e3 / gpu_ms, color=OURS if ours else GREY, lw=0.8, zorder=0)
        place = {"xytext": (8, NUDGES.get(name, 0)), "textcoords": "offset points", "va": "center"}
        axis.annotate(name, (1e3 / gpu_ms, delta1), fontsize=7, color=OURS if ours else "black", **place)
    axis.set_xscale("log")
    axis.set(xlim=(0.15, 4000), ylim=(0.58, 0.84), xlabel="frames per second", ylabel="delta1, 654 test frames")
    axis.set_title("Published (Wofk et al. 2019): Jetson TX2, max-N, float32")
    axis.grid()
    axis.legend(loc="lower left")
