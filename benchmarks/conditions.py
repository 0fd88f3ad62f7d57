"""Under what conditions a number was measured: machine, load, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def conditions() -> dict[str, Any]:
    """What a row needs beside its number and the load."""
    return machine() | {"commit": commit(), "date": time.strftime("%Y-%m-%d")}


@cache
def machine() -> dict[str, Any]:
    """The hardware key and what goes with it."""
    import psutil

    from zoo.kernels.device import host
    from zoo.kernels.processor import here

    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    machine, memory = here(), psutil.virtual_memory().total / 2**30
    return {
        "hardware": f"{machine.name} ({machine.processor}), {os.cpu_count()} cores, {memory:.0f} GiB, {host().name}",
        "governor": governor.read_text().strip() if governor.exists() else "unknown",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


class Load:
    """How busy the machine is, from now on: its load average before and after, and processors that others used meanwhile."""

    def __init__(self, ours: Callable[[], float]) -> None:
        """`ours` gives the processor seconds that the measured processes have used so far."""
        self._ours = ours
        self._before = os.getloadavg()[0]
        self._start = (time.monotonic(), _busy(), ours())

    def so_far(self) -> dict[str, float]:
        """{before, after, others}."""
        elapsed, busy, ours = (
            now - then for now, then in zip((time.monotonic(), _busy(), self._ours()), self._start, strict=True)
        )
        others = max(0.0, busy - ours) / elapsed
        return {
            "before": round(self._before, 2),
            "after": round(os.getloadavg()[0], 2),
            "others": round(others, 2),
        }


def _busy() -> float:
    """Processor seconds used by anybody since the machine started, a hypervisor's other guests included."""
    import psutil

    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


@cache
def commit() -> str:
    """The commit of the working tree, with + if it has changes; empty outside a repository."""
    words = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
