"""Timing several runtimes on several models: each in its own process, in turn, so that whatever drifts hits all alike."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from zoo.variant import variant

from . import runtimes
from .conditions import Load, conditions
from .process import PeerError, Process
from .runtimes import Job, example

ROUNDS = 5
PAUSE = 0.01  # seconds between turns: idle threads of the one before may still spin
Row = dict[str, Any]
OnProgress = Callable[[str, int, int], None]
# what a row holds, null where it was not measured
RESULTS = (
    *("p10_ms", "p50_ms", "p90_ms", "runs", "fps", "gmacs_per_s", "share_of_peak", "max_abs_error_m", "load_ms"),
    *("size_bytes", "artifact_sha256", "load"),
)


def jobs(models: Sequence[str], counts: Sequence[int], device: str, folder: Path) -> list[Job]:
    """A job per model and number of threads. Files made from other weights or by other versions are not found again."""
    known = {name: runtimes.versions(runtimes.find(name)) for name in runtimes.NAMES}
    made_by = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:8]
    made = []
    for model in models:
        weights = variant(model).weights
        assert weights
        place = folder / f"{weights.sha256[:12]}-{made_by}"
        place.mkdir(parents=True, exist_ok=True)
        made += [Job(model, device, count, place) for count in counts]
    return made


def prepare(jobs: Sequence[Job], names: Sequence[str], on_progress: OnProgress) -> dict[tuple[str, str], str]:
    """Export and compile what is to be measured, several at once; status per (runtime, model).

    Runtimes that read the same file make it once. What depends on the number of threads is made for each in turn.
    """
    found = {name: runtimes.find(name) for name in names}
    status = {}
    tasks: dict[tuple[Any, str], list[tuple[str, Job]]] = {}
    for job in jobs:
        for name, runtime in found.items():
            status[name, job.model] = "ok"
            if runtimes.versions(runtime) is None:
                status[name, job.model] = f"not installed: pip install {' '.join(runtime.NEEDS)}"
            elif runtime.prepare:
                tasks.setdefault((runtime.prepare, job.model), []).append((name, job))
    first = sorted(tasks, key=lambda task: task[0].__module__ != f"{runtimes.__name__}.torch_compile")  # the longest
    failures: dict[tuple[Any, str], str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for i, (task, error) in enumerate(pool.map(lambda task: (task, _made(tasks[task])), first)):
            on_progress("preparing", i, len(first))
            if error:
                failures[task] = f"failed: {error}"
    for (name, model), was in status.items():
        if was == "ok":
            status[name, model] = failures.get((found[name].prepare, model), was)
    return status


def _made(task: Sequence[tuple[str, Job]]) -> str | None:
    """Make the files of one runtime and model; what went wrong, if anything."""
    name = task[0][0]
    jobs = [job for runtime, job in task if runtime == name]
    for job in jobs if hasattr(runtimes.find(name), "PER_THREADS") else jobs[:1]:
        process = Process(name, job)
        try:
            process.prepare()
        except PeerError as error:
            return str(error)
        finally:
            process.close()
    return None


def speed(
    job: Job, status: dict[tuple[str, str], str], names: Sequence[str], peak: float, on_progress: OnProgress
) -> list[Row]:
    """A row per runtime: latency percentiles over interleaved rounds, error against eager, load time, size."""
    rows = {name: _row(name, job, status[name, job.model]) for name in names}
    expected, macs = _expected(job.model)
    processes: dict[str, Process] = {}

    def drop(name: str, why: Exception) -> None:
        rows[name]["status"] = f"failed: {why}"
        processes.pop(name).close()

    total = len(names) + ROUNDS
    try:
        processes |= {name: Process(name, job) for name in names if rows[name]["status"] == "ok"}
        for step in ("ready", "load"):  # all import at once, and load one after the other
            for i, name in enumerate(list(processes)):
                on_progress(f"loading {name}", i, total)
                try:
                    if step == "ready":
                        processes[name].ready()
                    else:
                        rows[name]["load_ms"] = round(processes[name].load(), 1)
                except PeerError as error:
                    drop(name, error)
        load = Load(lambda: sum(process.seconds for process in processes.values()))
        for i in range(ROUNDS):
            for name in list(processes):
                on_progress(name, len(names) + i, total)
                time.sleep(PAUSE)
                try:
                    processes[name].turn()
                except PeerError as error:
                    drop(name, error)
        busy = load.so_far()
        for name, process in processes.items():
            found = np.abs(np.load(job.depth(name)) - expected)
            rows[name] |= _summary(process.times, macs, peak) | {"max_abs_error_m": float(found.max()), "load": busy}
    finally:
        for process in processes.values():
            process.close()
    return list(rows.values())


def _row(name: str, job: Job, status: str) -> Row:
    runtime, weights = runtimes.find(name), variant(job.model).weights
    assert weights
    if status == "ok" and job.threads > 1 and hasattr(runtime, "ONE_THREAD"):
        status = "not run: it uses one thread whatever it is given"
    row: Row = {
        "model": job.model,
        "runtime": name,
        "threads": job.threads,
        "dtype": getattr(runtime, "DTYPE", "float32"),
    }
    row |= {"input": "1x3x224x224", "status": status, "provenance": "measured"} | dict.fromkeys(RESULTS)
    if status == "ok":
        contents = [path.read_bytes() for path in runtime.files(job)]
        row["size_bytes"] = sum(map(len, contents))
        row["artifact_sha256"] = hashlib.sha256(b"".join(contents)).hexdigest()
    return row | {"weights_sha256": weights.sha256, "versions": runtimes.versions(runtime)} | conditions()


@cache
def _expected(model: str) -> tuple[Any, int]:
    import torch

    import zoo
    from zoo.model.network import count

    network = zoo.load(model)
    with torch.inference_mode():
        return network(torch.from_numpy(example())[None])[0, 0].numpy(), count(network, 224, 224)[0]


def _summary(times: Sequence[float], macs: int, peak: float) -> Row:
    p10, p50, p90 = (float(value) for value in np.percentile(times, (10, 50, 90)))
    rate = macs / p50 / 1e6
    shown = {"p10_ms": round(p10, 4), "p50_ms": round(p50, 4), "p90_ms": round(p90, 4), "runs": len(times)}
    return shown | {"fps": round(1e3 / p50, 2), "gmacs_per_s": round(rate, 2), "share_of_peak": round(rate / peak, 4)}
