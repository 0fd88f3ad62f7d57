"""The processor of this machine, as Linux reports it."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def arch() -> str:
    """Its architecture: aarch64, x86_64, …"""
    return platform.machine()


def name() -> str:
    """What it calls itself; "unknown" where it does not say."""
    return next((line.split(":", 1)[1].strip() for line in _lines() if line.startswith("model name")), "unknown")


@cache
def features() -> frozenset[str]:
    """Its features, in the spelling of /proc/cpuinfo and of the device records."""
    lines = (line for line in _lines() if line.lower().startswith(("flags", "features")))
    words = next((line.split(":", 1)[1].split() for line in lines), [])
    return frozenset(word.replace("sse4_2", "sse4.2") for word in words)


def _lines() -> list[str]:
    try:
        return CPUINFO.read_text().splitlines()
    except OSError:
        return []
