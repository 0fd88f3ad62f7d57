"""The design study's tables, and what they show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo import console
from zoo.errors import ZooError

GROUPS = (
    ("Encoders, with the depthwise NNConv5 decoder", ("resnet50_nnconv5", "resnet18_nnconv5", "fastdepth_noskip")),
    (
        "Decoders across all channels, with MobileNet",
        (
            *("mobilenet_upproj", "mobilenet_upconv", "mobilenet_deconv5_dense", "mobilenet_blconv5_dense"),
            *("fastdepth_dense", "mobilenet_nnconv3_dense"),
        ),
    ),
    (
        "Dense decoders against depthwise ones",
        (
            *("resnet18_nnconv5_dense", "resnet18_nnconv5", "fastdepth_dense", "fastdepth_noskip"),
            *("mobilenet_deconv5_dense", "mobilenet_deconv5", "mobilenet_nnconv3_dense", "mobilenet_nnconv3"),
        ),
    ),
    ("Skips: none, concatenated, added", ("fastdepth_noskip", "fastdepth_concat", "fastdepth")),
    ("Pruned", ("fastdepth", "fastdepth_pruned", "fastdepth_netadapt")),
    ("Another encoder at the same cost", ("fastdepth_pruned", "fastdepth_lite")),
)
INSTEAD = ("resnet50_upproj", "vit_small")
NAMES = tuple(dict.fromkeys([name for _, names in GROUPS for name in names] + list(INSTEAD)))
HEAVY, LIGHT = "resnet18_nnconv5", "fastdepth_noskip"  # one decoder, two encoders
Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """Rows that --json wrote. Raises ZooError."""
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            if not {"model", "runtime", "threads", "status", "hardware"} <= row.keys():
                raise ValueError("a row lacks model, runtime, threads, status or hardware")
    except OSError as error:
        raise ZooError(f"{path}: {error.strerror or error}") from error
    except (ValueError, AttributeError) as error:
        raise ZooError(f"{path}: not rows that --json wrote ({error})") from error
    return rows


def show(rows: list[Row]) -> None:
    """The groups of the study, what they show, why cells are empty, and what people would pick instead."""
    if not rows:
        return
    found = {(row["model"], row["runtime"]): row for row in rows}
    first = rows[0]
    threads = f"{first['threads']} thread{'s' * (first['threads'] > 1)}"
    console.heading(f"Design study: {threads}, float32, random weights, medians in turn")
    console.out.print(f"{first['hardware']}, {first['date']}, load {first['load']}", soft_wrap=True)
    for title, names in GROUPS:
        shown = [name for name in names if (name, "eager") in found]
        if shown:
            _group(title, shown, found, "zoo", "compiled ms ")
    for line in findings(found):
        console.out.print(line)
    for row in rows:
        if row["runtime"] == "zoo" and row["status"] != "ok":
            console.out.print(f"{row['model']} {row['status']}", soft_wrap=True)
    shown = [name for name in INSTEAD if (name, "eager") in found]
    if shown:
        _group("What people would pick instead, at its own input size", shown, found, "onnxruntime", "ONNX Rt. ms ")
        for name in shown:
            row = found[name, "eager"]
            sides = row["input"].removeprefix("1x3x")
            console.out.print(f"{name}: {sides}, {row['what']}", soft_wrap=True)
    for row in rows:
        if row["status"].startswith("not installed"):
            console.out.print(f"{row['model']}, {row['runtime']}: {row['status']}", soft_wrap=True)


def findings(found: dict[tuple[str, str], Row]) -> list[str]:
    """What the study is about, in two lines: what of MobileNet's smaller work arrives as time."""
    keys = [(name, runtime) for name in (HEAVY, LIGHT) for runtime in ("eager", "zoo")]
    if not all(key in found and found[key]["status"] == "ok" for key in keys):
        return []
    work = found[HEAVY, "eager"]["macs"] / found[LIGHT, "eager"]["macs"]
    eager, compiled = (found[HEAVY, r]["p50_ms"] / found[LIGHT, r]["p50_ms"] for r in ("eager", "zoo"))
    half = 1 + (work - 1) / 2
    verdicts = ["more" if ratio >= half else "less" for ratio in (eager, compiled)]
    return [
        "",
        f"ResNet-18 does {work:.2f} times MobileNet's work and takes {eager:.2f} times as long eagerly, "
        f"{compiled:.2f} times compiled.",
        f"The better half of the work's ratio begins at {half:.2f}: eagerly {verdicts[0]} arrives, compiled {verdicts[1]}.",
    ]


def _group(title: str, names: list[str], found: dict[tuple[str, str], Row], runtime: str, column: str) -> None:
    console.out.print()
    console.heading(title)
    table = console.table("network", "GMAC ", "M weights ", "eager ms ", column, "faster ")
    table.columns[0].min_width = max(map(len, NAMES))
    for name in names:
        row, other = found[name, "eager"], found.get((name, runtime), {})
        sizes = (f"{row['macs'] / 1e9:.2f}", f"{row['weights'] / 1e6:.2f}") if "macs" in row else ("", "")
        eager, fast = row.get("p50_ms"), other.get("p50_ms")
        times = (f"{eager:.1f}" if eager else "", f"{fast:.1f}" if fast else "")
        table.add_row(name, *sizes, *times, f"{eager / fast:.2f}x" if eager and fast else "")
    console.out.print(table)
