"""Do another processor's records shorten a search? Searches are replayed on what was measured: nothing is timed.

    python benchmarks/across.py                   both x86 processors, with and without the other's records, 10 seeds: minutes

On Zen 4 every setting of eight layers is known (benchmarks/results/tuner-znver4.jsonl). On Sapphire Rapids 24 settings of
every layer are, which the tuner chose there (kernels/tuning/logs): a search among them says how soon the best is found.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from zoo import console
from zoo.kernels.device import Device, device
from zoo.kernels.ir.workload import Workload
from zoo.kernels.records import Record, by_workload, placed, read
from zoo.kernels.selection import known
from zoo.kernels.tuning.search import Others, tune

FULL = Path(__file__).parent / "results" / "tuner-znver4.jsonl"
EVERY = 5  # of the layers measured on Sapphire Rapids, by name: searches of all 83 take an hour
TRIALS = 24
WITHIN = (1.05, 1.02, 1.01)
SHOWN = (1, 2, 4, 8, 16, 24)


def replay(truth: Sequence[Record], target: Device, others: Others | None, seed: int) -> list[float]:
    """Times the least that the layers' best settings sum to, after each trial of every layer."""
    times: dict[tuple[Workload, tuple[tuple[str, int], ...]], Record] = {}
    for record in sorted(truth, key=lambda record: record.time):
        times.setdefault((record.workload, tuple(sorted(record.knobs.items()))), record)
    space: dict[Workload, list[dict[str, int]]] = {}
    for record in sorted(times.values(), key=lambda record: (str(record.workload), sorted(record.knobs.items()))):
        space.setdefault(record.workload, []).append(record.knobs)
    kept: list[Record] = []

    def measure(w: Workload, knobs: dict[str, int]) -> Record:
        return times[w, tuple(sorted(knobs.items()))]

    tune(list(space), target, TRIALS, [], measure, kept.extend, seed=seed, others=others, space=space.__getitem__)
    least = sum(min(r.time for (w, _), r in times.items() if w == workload) for workload in space)
    found = [[r.time for r in kept if r.workload == w] for w in space]
    return [sum(min(each[:trials]) for each in found) / least for trials in range(1, TRIALS + 1)]


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Searches of each kind.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print the curves as JSON.")] = False,
) -> None:
    """Compare searches with and without the records of another processor."""
    target = device("x86-64-v4")
    apart = {
        name: [record for record in known(target) if record.machine.processor == name]
        for name in ("znver4", "sapphirerapids")
    }
    names = sorted(map(str, by_workload(apart["sapphirerapids"])))[::EVERY]
    truths = {
        "znver4": [placed(record, "znver4") for record in read(FULL)[0]],
        "sapphirerapids": [record for record in apart["sapphirerapids"] if str(record.workload) in names],
    }
    curves = {}
    for name, other in (("znver4", "sapphirerapids"), ("sapphirerapids", "znver4")):
        for told, others in (("alone", None), (f"with {other}", Others(target, name, apart[other]))):
            curves[name, told] = [replay(truths[name], target, others, seed) for seed in range(seeds)]
            console.say(f"[dim]{name}, {told}: done[/dim]")
    if json:
        console.show_json([{"processor": name, "records": told, "above": c} for (name, told), c in curves.items()])
        return
    layers = ", ".join(f"{len(by_workload(truth))} layers on {name}" for name, truth in truths.items())
    console.heading(
        f"Trials a layer until their best sum to within so much of the least known; median of {seeds} seeds"
    )
    console.out.print(layers)
    table = console.table("searched", "records", *(f"{w - 1:.0%} " for w in WITHIN), *(f"after {n} " for n in SHOWN))
    for (name, told), each in curves.items():
        needed = [statistics.median(_needed(curve, within) for curve in each) for within in WITHIN]
        left = [f"{statistics.median(curve[n - 1] for curve in each) - 1:.1%}" for n in SHOWN]
        table.add_row(name, told, *(f"{n:g}" if n <= TRIALS else f"> {TRIALS}" for n in needed), *left)
    console.out.print(table)


def _needed(curve: Sequence[float], within: float) -> int:
    return next((trials for trials, above in enumerate(curve, start=1) if above <= within), TRIALS + 1)


if __name__ == "__main__":
    typer.run(main)
