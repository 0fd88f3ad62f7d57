"""How fast an artifact is, per step and as a whole, and how far from what the machine can do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..ir.workload import Workload
from ..runtime.fastdepth import FastDepth
from .peak import Peak

WARM, RUNS = 10, 60


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one step or of the whole, over the runs; its work, and the bytes it must at least read and write."""

    name: str
    workload: str
    p10_ms: float
    p50_ms: float
    p90_ms: float
    macs: int
    bytes: int

    def row(self, peak: Peak) -> dict[str, Any]:
        """As plain data, with rates and shares of the peak."""
        gmacs, gbytes = self.macs / self.p50_ms / 1e6, self.bytes / self.p50_ms / 1e6
        named = {"name": self.name, "workload": self.workload}
        times = {"p10_ms": self.p10_ms, "p50_ms": self.p50_ms, "p90_ms": self.p90_ms}
        rates = {"gmacs_per_s": gmacs, "share_of_peak": gmacs / peak.gmacs, "gbytes_per_s": gbytes}
        return (
            named | times | {"macs": self.macs, "bytes": self.bytes} | rates | {"share_of_copy": gbytes / peak.gbytes}
        )


def bench(folder: Path, threads: int) -> tuple[Timing, list[Timing]]:
    """(the whole, the steps) of an artifact on a random image, medians and 10th and 90th percentiles of 60 runs.

    The whole counts the multiply-accumulates of the network as it was before the rewrites made it cheaper.
    """
    with FastDepth(folder, threads) as compiled:
        image = np.random.default_rng(0).random((3, compiled.height, compiled.width), np.float32)
        seconds = compiled.times(image, WARM + RUNS)[WARM:]
        model, steps = compiled.manifest["model"]["name"], compiled.manifest["steps"]
        original = compiled.manifest["macs"]
    timings = []
    for i, step in enumerate(steps):
        workload = Workload.parse(step["workload"])
        timings.append(_timing(step["name"], step["workload"], seconds[:, i], workload.macs, least_bytes(workload)))
    total = sum(timing.bytes for timing in timings)
    return _timing(model, "", seconds.sum(1), original, total), timings


def _timing(name: str, workload: str, seconds: np.ndarray[Any, Any], macs: int, size: int) -> Timing:
    low, middle, high = (float(value) * 1e3 for value in np.percentile(seconds, (10, 50, 90)))
    return Timing(name, workload, low, middle, high, macs, size)


def least_bytes(w: Workload) -> int:
    """Bytes of input, weights, result and skip, each once."""
    sides = (w.in_sides, w.out_sides, w.skip_sides or (0, 0))
    read, result, skip = (channels * h * v for channels, (h, v) in zip((w.cin, w.cout, w.cout), sides, strict=True))
    weights = 0 if w.kind == "pool" else w.cout * w.kernel_size**2 * (1 if w.kind == "depthwise" else w.cin)
    return w.dtype.bytes * (read + weights + result + skip)
