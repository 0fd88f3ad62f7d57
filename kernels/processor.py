"""The processor of this machine, as Linux reports it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .cores import cores as known
from .cores import named

CPUINFO = Path("/proc/cpuinfo")
BOARD = Path("/proc/device-tree/model")
SYSTEM = Path("/sys/devices/system/cpu/cpu0")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")  # a log file is called so
UNKNOWN = "unknown"  # processor of records from before they said it
SIZES = ("cores", "l1d", "l2", "l3", "mhz")
LARGEST = 1 << 40
LONGEST = 200  # letters of a name
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}
VAGUE = re.compile(r"generic|x86-64(-v\d)?|unknown")  # names that LLVM gives to what it does not know


@dataclass(frozen=True)
class Machine:
    """What something was measured on: facts as they were found, None where they were not."""

    processor: str  # as the compiler calls it: znver4, cortex-a72; sm_62 for a GPU
    name: str  # what the machine calls itself, or its owner calls it
    cores: int | None = None
    l1d: int | None = None  # bytes of each cache that one core sees
    l2: int | None = None
    l3: int | None = None
    mhz: int | None = None

    def fields(self) -> dict[str, Any]:
        """As plain data: what is known."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Machine:
        """The machine that such fields say. Raises TypeError or ValueError for others."""
        made = cls(**fields)
        texts = isinstance(made.processor, str) and isinstance(made.name, str) and len(made.name) <= LONGEST
        if not texts or not NAME.fullmatch(made.processor):
            raise ValueError("machine: processor or name")
        sizes = [getattr(made, name) for name in SIZES]
        if not all(size is None or (type(size) is int and 0 < size < LARGEST) for size in sizes):
            raise ValueError(f"machine: {', '.join(SIZES)} are positive numbers")
        return made


def arch() -> str:
    """Its architecture: aarch64, x86_64, …"""
    return platform.machine()


@cache
def features() -> frozenset[str]:
    """Its features, in the spelling of /proc/cpuinfo and of the device records."""
    return _features(_facts(_read(CPUINFO)))


@cache
def here() -> Machine:
    """This machine. Where the table of cores does not know it, LLVM is asked, if TVM is installed."""
    caches = [
        f"{_read(at / 'level')}{_read(at / 'type')[:1]}: {_read(at / 'size')}" for at in SYSTEM.glob("cache/index*")
    ]
    cores, clock = f"cores: {os.cpu_count()}", f"khz: {_read(SYSTEM / 'cpufreq' / 'cpuinfo_max_freq')}"
    found = machine_of("\n".join([_read(CPUINFO).split("\n\n")[0], f"board: {_read(BOARD)}", cores, clock, *caches]))
    if found.processor in known() or not find_spec("tvm"):
        return found
    from .tvm_private import llvm_processor

    guess = llvm_processor()
    return found if is_vague(guess) else replace(found, processor=guess)


def is_vague(processor: str) -> bool:
    """Whether a name of the compiler's stands for many processors: generic, x86-64-v3."""
    return bool(VAGUE.fullmatch(processor))


def machine_of(report: str) -> Machine:
    """The machine of a report: one core's lines of /proc/cpuinfo, then `board`, `cores`, caches by level and kind ("1D",
    "2U"; "48K"), `khz`; any may be missing. kernels/runtime/report/main.c prints it on a board, `here` makes it here.

    Its processor is what the table of cores says; else "unknown", or the numbers it goes by.
    """
    facts = _facts(report)
    vendor = facts.get("vendor_id") or facts.get("cpu implementer", "")
    family, model = facts.get("cpu family", ""), facts.get("cpu part") or facts.get("model", "")
    numbers = "-".join(re.findall("[a-z0-9]+", f"{vendor} {family} {model}".lower()))[:40]
    processor = named(vendor, _number(family), _number(model), _features(facts)) or numbers or UNKNOWN
    mhz = _number(facts.get("khz", "")) // 1000 or _number(facts.get("cpu mhz", "").partition(".")[0])
    sizes = {"cores": _number(facts.get("cores", "")), "mhz": mhz}
    sizes |= {name: _number(facts.get(key, "")) for name, key in (("l1d", "1d"), ("l2", "2u"), ("l3", "3u"))}
    found = {key: value for key, value in sizes.items() if 0 < value < LARGEST}
    name = "".join(c for c in facts.get("board") or facts.get("model name") or UNKNOWN if c.isprintable())
    return Machine(processor, name[:LONGEST], **found)


def _facts(text: str) -> dict[str, str]:
    """Keys in small letters; of those that come twice, the first."""
    facts: dict[str, str] = {}
    for key, colon, value in (line.partition(":") for line in text.splitlines()):
        if colon and value.strip(" \t\0"):
            facts.setdefault(key.strip().lower(), value.strip(" \t\0"))
    return facts


def _features(facts: Mapping[str, str]) -> frozenset[str]:
    words = (facts.get("flags") or facts.get("features", "")).split()
    return frozenset(word.replace("sse4_2", "sse4.2") for word in words)


def _number(text: str) -> int:
    """12, 0xd08, or 48K as bytes; 0 for anything else."""
    found = re.fullmatch(r"(0x[0-9a-f]{1,8}|[0-9]{1,12})([KM]?)", text)
    return int(found[1], 0 if found[1].startswith("0x") else 10) * UNITS[found[2]] if found else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip("\n\0")
    except OSError:
        return ""
