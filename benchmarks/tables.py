"""The tables. Measured, published and predicted numbers stand in different ones."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from rich.text import Text

from zoo import console

HERE = Path(__file__).parent
CHECKPOINTS = HERE.parent / "zoo" / "checkpoints"


def speed(rows: list[dict[str, Any]]) -> None:
    """Speed measured here: one table per model and number of threads, the fastest first."""
    if rows:
        first = rows[0]
        console.heading("1. Speed, measured here")
        console.out.print(f"{first['hardware']}; governor {first['governor']}; {first['date']}; {first['commit']}")
        loads = [row["load"] for row in rows]
        console.out.print(
            "float32, 1x3x224x224, each runtime in its own process, in turn; "
            f"load of the machine {min(loads):.1f} to {max(loads):.1f}"
        )
    for model, threads in dict.fromkeys((row["model"], row["threads"]) for row in rows):
        _speed(model, threads, [row for row in rows if (row["model"], row["threads"]) == (model, threads)])


def _speed(model: str, threads: int, rows: list[dict[str, Any]]) -> None:
    fine = sorted((row for row in rows if row["status"] == "ok"), key=lambda row: row["p50_ms"])
    console.out.print()
    console.heading(f"{model}, {threads} thread{'s' * (threads > 1)}")
    table = console.table("runtime", "ms ", "p10 ", "p90 ", "fps ", "to zoo ", "peak ", "err m ", "load s ", "MB ")
    table.columns[0].no_wrap = True
    ours = next((row["p50_ms"] for row in fine if row["runtime"] == "zoo"), None)
    for row in fine:
        times = [f"{row[key]:.2f}" for key in ("p50_ms", "p10_ms", "p90_ms")]
        ratio = "" if ours is None or row["runtime"] == "zoo" else f"{row['p50_ms'] / ours:.2f}x"
        share = f"{row['share_of_peak']:.0%}" if row["dtype"] == "float32" else ""
        rest = (share, f"{row['max_abs_error_m']:.0e}", f"{row['load_ms'] / 1e3:.2f}")
        name = Text(row["runtime"], style="bold" if row["runtime"] == "zoo" else "")
        table.add_row(name, *times, f"{row['fps']:.0f}", ratio, *rest, f"{row['size_bytes'] / 1e6:.1f}")
    console.out.print(table)
    for row in rows:
        if row["status"] != "ok":
            console.out.print(f"{row['runtime']}: {row['status']}", soft_wrap=True)


def accuracy() -> None:
    """How well the bundled checkpoints do, as their cards say."""
    console.out.print()
    console.heading("2. Accuracy, measured by us")
    columns = ("checkpoint", "status", "delta1 ", "RMSE m ", "abs-rel ", "on")
    table = console.table(*columns)
    for path in sorted(CHECKPOINTS.glob("*/config.json")):
        notes = json.loads(path.read_text())["notes"]
        held = notes["held_out"]
        numbers = (f"{held['delta1']:.3f}", f"{held['rmse_m']:.3f}", f"{held['abs_rel']:.3f}")
        where = f"{held['frames']} held-out NYU frames, {held['recipe']}, {held['mask']}"
        table.add_row(path.parent.name, notes["status"], *numbers, where)
    console.out.print(table)


def published() -> None:
    """What others measured."""
    known = tomllib.loads((HERE / "published.toml").read_text())
    console.out.print()
    console.heading("3. Published, not measured here")
    console.out.print(f"{known['conditions']}. {known['source']}")
    table = console.table("network", "input", "GMAC ", "RMSE m ", "delta1 ", "CPU ms ", "GPU ms ")
    for row in known["rows"]:
        table.add_row(*(f"{value:g}" if isinstance(value, int | float) else value for value in row))
    console.out.print(table)
    console.out.print(known["power"])


def devices() -> None:
    """What the tuning logs add up to, per device and network."""
    from zoo.kernels.device import records
    from zoo.kernels.log import best, path_of, per_convolution, read
    from zoo.kernels.rewrite import rewrite

    console.out.print()
    console.heading("4. Per device: the best time known of every layer by itself, added up")
    table = console.table("device", "network", "sum ms ", "layers ", "provenance")
    networks = _networks()
    for device in records():
        known = read(path_of(device))[0]
        tuned, alone = best(known, device), per_convolution(known)
        sources = ", ".join(sorted({record.source for record in known}))
        for model, plan in networks.items():
            workloads = [step.workload for step in rewrite(plan, device.lanes).steps]
            times = [tuned[w].time if w in tuned else alone.get(w.bare) for w in workloads]
            found = [seconds for seconds in times if seconds is not None]
            if found:
                table.add_row(device.name, model, f"{sum(found) * 1e3:.2f}", f"{len(found)} of {len(times)}", sources)
    console.out.print(table)


def _networks() -> dict[str, Any]:
    import zoo
    from zoo.kernels.export import trace
    from zoo.variant import catalogue

    return {variant.name: trace(zoo.load(variant.name), 224, 224) for variant in catalogue() if variant.weights}
