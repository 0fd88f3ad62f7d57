"""The tables. Measured, published and predicted numbers stand in different ones."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from rich.text import Text

from zoo import console
from zoo.variant import variant

HERE = Path(__file__).parent
CHECKPOINTS = HERE.parent / "zoo" / "checkpoints"


def speed(rows: list[dict[str, Any]]) -> None:
    """Speed measured here: one table per model and number of threads, the fastest first."""
    first = rows[0]
    console.heading("1. Speed, measured here")
    console.out.print(f"{first['hardware']}; governor {first['governor']}; {first['date']}; {first['commit']}")
    loads = [row["load"] for row in rows if row["load"]]
    others = f"; others used up to {max(load['others'] for load in loads):.1f} processors meanwhile" if loads else ""
    console.out.print(f"{first['input']}, each runtime in its own process, in turn{others}")
    console.out.print(
        "ms: median, 10th and 90th percentile of whole calls; peak: share of what this machine can multiply and add; "
        "faster: times as fast as eager; err: largest difference to it, m; load: from files to the first result, s"
    )
    for model, threads in dict.fromkeys((row["model"], row["threads"]) for row in rows):
        _speed(model, threads, [row for row in rows if (row["model"], row["threads"]) == (model, threads)])


def _speed(model: str, threads: int, rows: list[dict[str, Any]]) -> None:
    fine = sorted((row for row in rows if row["status"] == "ok"), key=lambda row: row["p50_ms"])
    console.out.print()
    console.heading(f"{model}, {threads} thread{'s' * (threads > 1)}")
    columns = ("ms ", "p10 ", "p90 ", "fps ", "GMAC/s ", "peak ", "faster ", "err ", "load ", "MB ")
    table = console.table("runtime", *columns)
    table.columns[0].no_wrap = True
    eager = next((row["p50_ms"] for row in fine if row["runtime"] == "eager"), None)
    for row in fine:
        times = [_short(row[key]) for key in ("p50_ms", "p10_ms", "p90_ms")]
        share = f"{row['share_of_peak']:.0%}" if row["dtype"] == "float32" else ""  # of float32's peak
        ratio = f"{eager / row['p50_ms']:.2f}" if eager else ""
        rest = (f"{row['max_abs_error_m']:.0e}", _short(row["load_ms"] / 1e3), f"{row['size_bytes'] / 1e6:.1f}")
        name = Text(row["runtime"], style="bold" if row["runtime"] == "zoo" else "")
        table.add_row(name, *times, f"{row['fps']:.0f}", f"{row['gmacs_per_s']:.1f}", share, ratio, *rest)
    console.out.print(table)
    _lead(fine)
    for row in rows:
        if row["status"] != "ok":
            console.out.print(f"{row['runtime']}: {row['status']}", soft_wrap=True)


def _lead(fine: list[dict[str, Any]]) -> None:
    """How zoo stands to the best of the others that compute in float32."""
    ours = next((row for row in fine if row["runtime"] == "zoo"), None)
    best = next((row for row in fine if row["runtime"] != "zoo" and row["dtype"] == "float32"), None)
    if ours and best:
        ratio = best["p50_ms"] / ours["p50_ms"]
        console.out.print(f"zoo: {ratio:.2f} times as fast as {best['runtime']}, the best other in float32")


def _short(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def accuracy() -> None:
    """How well the bundled checkpoints do, as their cards say."""
    console.out.print()
    console.heading("2. Accuracy, measured by us")
    columns = ("checkpoint", "status", "delta1 ", "RMSE m ", "abs-rel ", "on")
    table = console.table(*columns)
    for path in sorted(CHECKPOINTS.glob("*/config.json")):
        held = json.loads(path.read_text())["notes"]["held_out"]
        numbers = (f"{held['delta1']:.3f}", f"{held['rmse_m']:.3f}", f"{held['abs_rel']:.3f}")
        where = f"{held['frames']} held-out NYU frames, {held['protocol']}, {held['mask']}"
        weights = variant(path.parent.name).weights
        table.add_row(path.parent.name, weights.status if weights else "", *numbers, where)
    console.out.print(table)


def published() -> None:
    """What others measured."""
    known = tomllib.loads((HERE / "published.toml").read_text())
    console.out.print()
    console.heading("3. Published, not measured here")
    console.out.print(f"{known['conditions']}. {known['source']}")
    table = console.table("network", "input", "GMAC ", "RMSE m ", "delta1 ", "CPU ms ", "GPU ms ")
    for row in known["rows"]:
        network, size, gmacs, rmse, delta1, cpu, gpu = row
        table.add_row(network, size, f"{gmacs:g}", f"{rmse:.3f}", f"{delta1:.3f}", f"{cpu:g}", f"{gpu:g}")
    console.out.print(table)
    console.out.print(known["power"])


def devices() -> None:
    """What the tuning logs add up to, per device, processor and network."""
    from zoo.kernels.device import records
    from zoo.kernels.ir.rewrite import rewrite
    from zoo.kernels.records import best, per_convolution
    from zoo.kernels.selection import known

    console.out.print()
    console.heading("4. Per processor: the best time known of every layer by itself, added up")
    table = console.table("device", "processor", "network", "sum ms ", "layers ", "provenance")
    networks = _networks()
    for device in records():
        everything = known(device)
        for processor in sorted({record.machine.processor for record in everything}):
            ours = [record for record in everything if record.machine.processor == processor]
            tuned, alone = best(ours, device), per_convolution(ours)
            sources = ", ".join(sorted({record.provenance for record in ours}))
            for model, plan in networks.items():
                workloads = [step.workload for step in rewrite(plan, device.simd_lanes).steps]
                times = [tuned[w].time if w in tuned else alone.get(w.bare) for w in workloads]
                found = [seconds for seconds in times if seconds is not None]
                if found:
                    words = (f"{sum(found) * 1e3:.2f}", f"{len(found)} of {len(times)}", sources)
                    table.add_row(device.name, processor, model, *words)
    console.out.print(table)


def _networks() -> dict[str, Any]:
    import zoo
    from zoo.kernels.ir.trace import trace
    from zoo.variant import catalogue

    return {variant.name: trace(zoo.load(variant.name), 224, 224) for variant in catalogue() if variant.weights}
