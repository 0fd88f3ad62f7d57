"""Does the tuner's model earn its place? Every setting of a few layers is measured once; then searches are replayed on it.

Replaying makes the comparison fair and free of noise: with and without the model, the same seeds, the same measurements.

    python benchmarks/tuner.py                    replay what benchmarks/results/tuner-PROCESSOR.jsonl holds
    python benchmarks/tuner.py --measure          measure what it lacks first (minutes; stops and goes on)
    python benchmarks/tuner.py --keep             keep the curves in benchmarks/results/tuner-PROCESSOR.json, for make figures
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from zoo import console
from zoo.kernels.device import Device
from zoo.kernels.device import device as find
from zoo.kernels.ir.workload import Workload
from zoo.kernels.processor import here
from zoo.kernels.records import Record, append, present, read
from zoo.kernels.targets import target_of
from zoo.kernels.tuning.local import LocalRunner
from zoo.kernels.tuning.search import tune

LAYERS = [
    "stem3s2-f32-c3-k16-224x224+relu6",
    "depthwise3s1-f32-c88-56x56+relu6",
    "depthwise3s2-f32-c120-56x56+relu6",
    "double+add>depthwise5s1-f32-c256-28x28+relu",
    "pointwise1s1-f32-c56-k88-56x56+relu6",
    "pointwise1s1-f32-c144-k256-28x28+relu6",
    "pointwise1s1-f32-c328-k480-7x7+relu6",
    "pointwise1s1-f32-c256-k120-28x28+relu",
]
TRIALS = (8, 16, 24, 32, 48)
SEEDS = range(10)
Times = dict[tuple[Workload, tuple[tuple[str, int], ...]], Record]


def measure_all(path: Path, device: Device) -> None:
    """Measure every setting that the file lacks."""
    known = {(r.workload, *r.knobs.items()) for r in read(path)[0]}
    settings = [(w, knobs) for w in map(Workload.parse, LAYERS) for knobs in target_of(device).space(w)]
    missing = [(w, knobs) for w, knobs in settings if (w, *knobs.items()) not in known]
    with LocalRunner(device) as runner, console.progress("measuring") as on_progress:
        for i, (w, knobs) in enumerate(missing):
            append(path, [runner.measure(w, knobs)])
            on_progress(str(w), i, len(missing))


def search(times: Times, device: Device, seed: int, *, learn: bool) -> list[float]:
    """Milliseconds of the layers' best settings together, after each number of TRIALS."""
    kept: list[Record] = []
    workloads = list(dict.fromkeys(w for w, _ in times))
    sums = []
    for trials in TRIALS:

        def replay(w: Workload, knobs: dict[str, int]) -> Record:
            return times[w, tuple(knobs.items())]

        tune(workloads, device, trials, kept, replay, lambda _: None, seed=seed, learn=learn)
        sums.append(1e3 * sum(min(r.time for r in kept if r.workload == w) for w in workloads))
    return sums


def main(
    device: Annotated[str, typer.Option(help="The device that the kernels are for.")] = "host",
    processor: Annotated[str | None, typer.Option(help="Whose measurements to use; default: this machine's.")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure what is missing first.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the curves for make figures.")] = False,
) -> None:
    """Compare searches with and without the model at equal trials."""
    target = find(device)
    name = processor or here().processor
    path = Path(__file__).parent / "results" / f"tuner-{name}.jsonl"
    if measure and name != here().processor:
        console.complain(f"--measure measures this machine, a {here().processor}, not a {name}")
        raise typer.Exit(2)
    if measure:
        measure_all(path, target)
    times = {(r.workload, tuple(r.knobs.items())): r for r in present(read(path)[0], target)}
    if not times:
        console.complain(f"{path}: no measurements; run with --measure on such a machine")
        raise typer.Exit(2)
    guided = np.array([search(times, target, seed, learn=True) for seed in SEEDS])
    blind = np.array([search(times, target, seed, learn=False) for seed in SEEDS])
    workloads = dict.fromkeys(w for w, _ in times)
    ideal = 1e3 * sum(min(r.time for r in times.values() if r.workload == w) for w in workloads)
    console.heading(
        f"{len(workloads)} layers for {target.name} on {name}, {len(times)} settings measured; median of {len(SEEDS)} seeds"
    )
    table = console.table(
        "trials a layer ", "random ms ", "model ms ", "above the best: random ", "model ", "seeds won "
    )
    for i, trials in enumerate(TRIALS):
        random, model = (statistics.median(sums[:, i]) for sums in (blind, guided))
        won = f"{(guided[:, i] < blind[:, i]).sum()} of {len(SEEDS)}"
        above = (f"{random / ideal - 1:.1%}", f"{model / ideal - 1:.1%}")
        table.add_row(str(trials), f"{random:.3f}", f"{model:.3f}", *above, won)
    console.out.print(table)
    console.out.print(f"the best of all settings: {ideal:.3f} ms")
    if keep:
        sums = {"random": blind.round(5).tolist(), "model": guided.round(5).tolist()}
        kept = {"layers": len(workloads), "trials": TRIALS, "best_ms": round(ideal, 5)} | sums
        path.with_suffix(".json").write_text(json.dumps(kept) + "\n")


if __name__ == "__main__":
    typer.run(main)
