"""Timing several runtimes on one model: each in its own process, in turn, so that whatever drifts hits all alike."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.variant import variant

from . import runtimes
from .conditions import conditions
from .runtimes import Job

ROOT = Path(__file__).parent.parent
ROUNDS = 8
ROUND_MS = 60.0  # of running in a round, but no fewer runs than
FEWEST, MOST = 1, 25
WARM = 5
Row = dict[str, Any]
Tick = Callable[[str, int, int], None]


class Worker:
    """A process that holds one loaded runtime."""

    def __init__(self, name: str, job: Job) -> None:
        words = (name, job.model, job.device, str(job.threads), str(job.folder))
        self.name, self.times = name, list[float]()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.first = self._answer()
        self.runs = FEWEST
        if "error" not in self.first:
            self.runs = int(min(MOST, max(FEWEST, ROUND_MS / float(np.median(self._run(WARM))))))

    def round(self) -> None:
        """Run a few times more."""
        self.times += self._run(self.runs)

    def _run(self, count: int) -> list[float]:
        assert self.process.stdin
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        found: list[float] = answer["ms"]
        return found

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            return {"error": f"its process ended with code {self.process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def speed(
    model: str, names: Sequence[str], threads: int, device: str, folder: Path, peak: float, tick: Tick
) -> list[Row]:
    """A row per runtime: latency percentiles over interleaved rounds, error against eager, load time, size."""
    weights = variant(model).weights
    assert weights
    job = Job(model, device, threads, folder / weights.sha256[:12])  # what was made from other weights is not found
    job.folder.mkdir(parents=True, exist_ok=True)
    common = conditions() | {
        "model": model,
        "weights_sha256": weights.sha256,
        "threads": threads,
        "input": "1x3x224x224",
    }
    expected, macs = _expected(job)
    rows: dict[str, Row] = {}
    workers: dict[str, Worker] = {}
    try:
        for i, name in enumerate(names):
            tick(f"{model}, {threads} thread{'s' * (threads > 1)}: loading {name}", i, len(names) + ROUNDS)
            rows[name] = common | {"runtime": name, "provenance": "measured"} | _prepare(name, job)
            if rows[name]["status"] == "ok":
                _start(name, job, workers, rows[name])
        for i in range(ROUNDS):
            for name, worker in list(workers.items()):
                tick(f"{model}, {threads} thread{'s' * (threads > 1)}: {name}", len(names) + i, len(names) + ROUNDS)
                try:
                    worker.round()
                except (RuntimeError, OSError, ValueError) as error:
                    rows[name]["status"] = f"failed: {error}"
                    workers.pop(name).close()
        for name, worker in workers.items():
            rows[name] |= _summary(worker, job, expected, macs, peak)
    finally:
        for worker in workers.values():
            worker.close()
    return list(rows.values())


def _prepare(name: str, job: Job) -> Row:
    runtime = runtimes.find(name)
    versions = runtimes.versions(runtime)
    if versions is None:
        return {"status": f"not installed: pip install {' '.join(runtime.NEEDS)}"}
    try:
        runtime.prepare(job)
        size = sum(path.stat().st_size for path in runtime.files(job))
    except Exception as error:  # a peer that fails is a row, whatever it failed of
        return {"status": f"failed: {type(error).__name__}: {error}"[:300]}
    return {"status": "ok", "versions": versions, "size_bytes": size, "dtype": getattr(runtime, "DTYPE", "float32")}


def _start(name: str, job: Job, workers: dict[str, Worker], row: Row) -> None:
    worker = Worker(name, job)
    if "error" in worker.first:
        row["status"] = f"failed: {worker.first['error']}"
        worker.close()
    else:
        workers[name] = worker
        time.sleep(0.2)  # its idle threads may spin for a while


def _expected(job: Job) -> tuple[Any, int]:
    import torch

    from zoo.network import count

    network = job.network()
    with torch.inference_mode():
        return network(torch.from_numpy(job.example())[None])[0, 0].numpy(), count(network, 224, 224)[0]


def _summary(worker: Worker, job: Job, expected: Any, macs: int, peak: float) -> Row:
    p10, p50, p90 = np.percentile(worker.times, (10, 50, 90))
    depth = np.load(job.folder / f"{worker.name}-{job.model}-{job.threads}.npy")
    rate = macs / p50 / 1e6
    return {
        "p10_ms": round(p10, 4),
        "p50_ms": round(p50, 4),
        "p90_ms": round(p90, 4),
        "runs": len(worker.times),
        "fps": round(1e3 / p50, 2),
        "gmacs_per_s": round(rate, 2),
        "share_of_peak": round(rate / peak, 4),
        "max_abs_error_m": float(np.abs(depth - expected).max()),
        "load_ms": round(worker.first["load_ms"], 1),
    }
