"""The design study of the paper, rerun: what each choice costs in work, and in time, eagerly and compiled.

    python benchmarks/ablation.py --threads 1

Random weights: times only. Every network of the zoo and its study, in turn, round after round, so that drift hits all alike.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

import zoo
from zoo import console
from zoo.kernels.build import build
from zoo.kernels.device import host
from zoo.kernels.errors import KernelError
from zoo.kernels.export import trace
from zoo.kernels.runtime.fastdepth import FastDepth
from zoo.network import count
from zoo.predict import runner
from zoo.variant import Variant, catalogue

ROUNDS = 30
Run = Callable[[np.ndarray], np.ndarray]


def main(
    threads: Annotated[int, typer.Option(min=1, help="Threads for both.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Time every network of the study."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    variants = (*catalogue(study=True), *catalogue())
    runs: dict[tuple[str, str], Run] = {}
    rows: dict[str, dict[str, Any]] = {
        v.name: {"network": v.name, "summary": v.summary, "threads": threads} for v in variants
    }
    with tempfile.TemporaryDirectory() as scratch, console.progress("design study") as tick:
        for i, v in enumerate(variants):
            tick(f"compiling {v.name}", i, len(variants))
            network = zoo.load(v.name, pretrained=False)
            rows[v.name]["macs"], rows[v.name]["conv_weights"] = count(network, *v.input)
            runs[v.name, "eager_ms"] = runner(network)
            if compiled := artifact(v, network, Path(scratch) / v.name, threads):
                runs[v.name, "compiled_ms"] = compiled
        for (name, column), median in measure(runs, tick).items():
            rows[name][column] = median
    if json:
        console.show_json(list(rows.values()))
    else:
        show(list(rows.values()), threads)


def artifact(variant: Variant, network: zoo.FastDepth, folder: Path, threads: int) -> Run | None:
    """The network compiled for this machine, or None where the plan has no step for what it does."""
    try:
        plan = trace(network, *variant.input)
    except KernelError:
        return None
    build(plan, host(), folder, {"name": variant.name, "weights_sha256": "", "status": "random"})
    return FastDepth(folder, threads)


def measure(runs: dict[tuple[str, str], Run], tick: Callable[[str, int, int], None]) -> dict[tuple[str, str], float]:
    """Median milliseconds of each, one call after the other in every round."""
    image = np.random.default_rng(0).random((3, 224, 224), np.float32)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for i in range(ROUNDS):
        tick("measuring", i, ROUNDS)
        for key, run in runs.items():
            run(image)  # the caches are this network's again
            began = time.perf_counter()
            run(image)
            times[key].append((time.perf_counter() - began) * 1e3)
    return {key: statistics.median(values) for key, values in times.items()}


def show(rows: list[dict[str, Any]], threads: int) -> None:
    """The table, most work first."""
    console.heading(f"Design study, {threads} thread{'s' * (threads > 1)}, 224x224, median of {ROUNDS}, random weights")
    table = console.table("network", "GMAC ", "M weights ", "eager ms ", "compiled ms ", "faster ")
    for row in sorted(rows, key=lambda r: -r["macs"]):
        eager, compiled = row["eager_ms"], row.get("compiled_ms")
        shown = (f"{compiled:.1f}", f"{eager / compiled:.1f}x") if compiled else ("", "")
        sizes = (f"{row['macs'] / 1e9:.2f}", f"{row['conv_weights'] / 1e6:.2f}")
        table.add_row(row["network"], *sizes, f"{eager:.1f}", *shown)
    console.out.print(table)


if __name__ == "__main__":
    typer.run(main)
