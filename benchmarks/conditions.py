"""Under what conditions a number was measured: machine, load, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def conditions() -> dict[str, Any]:
    """What a row needs beside its number."""
    return machine() | {"load": round(os.getloadavg()[0], 2), "date": time.strftime("%Y-%m-%d"), "commit": commit()}


@cache
def machine() -> dict[str, Any]:
    """The hardware key and what goes with it."""
    import psutil

    from zoo.kernels.device import host
    from zoo.kernels.measure import processor_name

    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    memory = psutil.virtual_memory().total / 2**30
    return {
        "hardware": f"{processor_name()}, {os.cpu_count()} cores, {memory:.0f} GiB, {host().name}",
        "governor": governor.read_text().strip() if governor.exists() else "unknown",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


@cache
def commit() -> str:
    """The commit of the working tree, with + if it has changes; empty outside a repository."""
    words = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
