"""One runtime in a process of its own, timed when told to. Spoken to by lines of JSON.

    python -m benchmarks.worker RUNTIME MODEL DEVICE THREADS FOLDER

It loads, runs once and says {load_ms}; then for every line N on stdin it runs N times and says {ms: […]}.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from .runtimes import Job, find


def main(name: str, model: str, device: str, threads: str, folder: str) -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what runtimes print must not stand among the answers

    def say(**answer: object) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    runtime, job = find(name), Job(model, device, int(threads), Path(folder))
    image = job.example()
    try:
        for needed in ("torch", *runtime.NEEDS):
            _import(needed)  # importing is not loading
        start = time.perf_counter()
        run = runtime.load(job)
        depth = run(image)
        load_ms = (time.perf_counter() - start) * 1e3
        np.save(job.folder / f"{name}-{model}-{threads}.npy", np.asarray(depth, np.float32))
        say(load_ms=load_ms)
    except Exception as error:  # a peer that fails is a row, whatever it failed of
        say(error=f"{type(error).__name__}: {error}"[:300])
        return
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run(image)
            times.append((time.perf_counter() - start) * 1e3)
        say(ms=times)


def _import(distribution: str) -> None:
    module = {"apache-tvm": "tvm", "fastdepth-zoo": "zoo.kernels.runtime.fastdepth"}.get(distribution, distribution)
    try:
        __import__(module.replace("-", "_"))
    except ImportError:
        if distribution != "torch":  # exporters need not be there to run what they made
            return
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
