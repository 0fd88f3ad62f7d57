"""One runtime in a process of its own, doing what it is told. Spoken to by lines of JSON.

    python -m benchmarks.worker RUNTIME MODEL DEVICE THREADS FOLDER

It imports what it runs on and says {}. Then, for every line on stdin: `load` loads, runs once and says {load_ms};
a number N runs N times and says {ms: […]}; `prepare` makes its files and says {}. What goes wrong is {error}.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .runtimes import Job, Run, find

MODULES = {"apache-tvm": "tvm", "fastdepth-zoo": "zoo.kernels.runtime.fastdepth", "ai-edge-litert": "ai_edge_litert"}


def main(name: str, model: str, device: str, threads: str, folder: str) -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what runtimes print must not stand among the answers
    runtime, job = find(name), Job(model, device, int(threads), Path(folder))
    __import__(MODULES.get(runtime.NEEDS[0], runtime.NEEDS[0]))  # importing is not loading
    image, run = job.example(), None

    def answer(order: str) -> dict[str, Any]:
        nonlocal run
        if order == "prepare":
            runtime.prepare(job)
            return {}
        if order == "load":
            start = time.perf_counter()
            run = runtime.load(job)
            depth = run(image)
            load_ms = (time.perf_counter() - start) * 1e3
            np.save(job.depth(name), np.asarray(depth, np.float32))
            return {"load_ms": load_ms}
        assert run
        return {"ms": [_milliseconds(run, image) for _ in range(int(order))]}

    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        try:
            said = answer(line.strip())
        except Exception as error:  # a peer that fails is a row, whatever it failed of
            said = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        print(json.dumps(said), file=answers, flush=True)


def _milliseconds(run: Run, image: Any) -> float:
    start = time.perf_counter()
    run(image)
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    main(*sys.argv[1:])
