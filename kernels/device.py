"""Hardware is a record of capabilities. Schedules ask for capabilities, never for names."""

from __future__ import annotations

import ctypes
import platform
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from .errors import KernelError
from .files import get

FOLDER = Path(__file__).parent / "devices"
CUDA = "libcuda.so.1"  # the driver, as Linux names it
CPUINFO = Path("/proc/cpuinfo")
LANES = (1, 4, 8, 16)
MACHINES = ("aarch64", "x86_64")
KINDS: dict[str, type] = dict.fromkeys(("name", "summary", "machine", "linker", "source"), str)
KINDS |= {"target": dict, "lanes": int, "registers": int, "requires": list}


@dataclass(frozen=True)
class Gpu:
    """A graphics processor that takes PTX."""

    arch: str  # the oldest that the kernels run on, as PTX names it: sm_62
    multiprocessors: int
    shared: int  # bytes that a block of threads may share
    threads: int  # in a block, at most
    registers: int  # of a block, shared out among its threads

    @property
    def capability(self) -> tuple[int, int]:
        """Major and minor number of the architecture."""
        number = int(self.arch.removeprefix("sm_"))
        return number // 10, number % 10


@dataclass(frozen=True)
class Device:
    """A class of machines that can run the same library, or one board."""

    name: str
    summary: str
    machine: str  # as platform.machine() says
    target: Mapping[str, Any]  # what TVM is told
    linker: str  # architecture, system and oldest C library, as zig names them
    lanes: int  # float32 values of one vector register; 1 where threads take their place
    registers: int  # vector registers, or registers of a thread
    requires: tuple[str, ...]  # CPU features, as the kernel's /proc/cpuinfo names them
    source: str  # where these facts were read
    board: bool = False  # a board is chosen by name; `host` is always a class
    gpu: Gpu | None = None
    folder: Path | None = None  # of a record that somebody brought along; its tuning log lies beside it

    @property
    def runs_here(self) -> bool:
        """Whether this machine can run what is compiled for the device."""
        fits = self.machine == platform.machine() and set(self.requires) <= features()
        return fits and (self.gpu is None or _cuda())


def _gpu(record: Mapping[str, Any]) -> Gpu:
    target = record["target"]
    return Gpu(arch=target["mcpu"], threads=target["max_num_threads"], **record["gpu"])


@cache
def _cuda() -> bool:
    """Whether there is a CUDA driver."""
    try:
        ctypes.CDLL(CUDA)
    except OSError:
        return False
    return True


@cache
def records() -> tuple[Device, ...]:
    """Every known device: classes, most capable first within a machine, then boards."""
    found = [_read(path) for path in sorted(FOLDER.glob("*.toml"), reverse=True)]
    return tuple(sorted(found, key=lambda device: device.board))


def _read(path: Path) -> Device:
    try:
        return made(tomllib.loads(get(path).decode()))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        # TOML that is none is a ValueError
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise KernelError(f"{path}: not a device record ({what})") from error


def made(record: Mapping[str, Any]) -> Device:
    """The device that a record describes. Raises KeyError, TypeError or ValueError where it is none."""
    for key, kind in KINDS.items():
        if not isinstance(record[key], kind):
            raise TypeError(f"{key} is {record[key]!r}, not {kind.__name__}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", record["name"]):
        raise ValueError(f"name {record['name']!r}: small letters, digits and dashes")
    if record["lanes"] not in LANES:
        raise ValueError(f"lanes {record['lanes']}: there are {', '.join(map(str, LANES))}")
    if record["machine"] not in MACHINES:
        raise ValueError(f"machine {record['machine']!r}: there are {' and '.join(MACHINES)}")
    gpu = _gpu(record) if "gpu" in record else None
    must = {"kind": "nvptx"} if gpu else {"kind": "llvm", "mtriple": f"{record['machine']}-linux-gnu"}
    if not must.items() <= record["target"].items():
        raise ValueError(f"target: it must hold {must}")
    return Device(**{**record, "requires": tuple(record["requires"]), "gpu": gpu})


def device(name: str) -> Device:
    """The device of that name, or the record in that .toml file; `host` is the most capable one that this machine is.
    Raises KernelError."""
    if name == "host":
        return host()
    if name.endswith(".toml"):
        return replace(_read(Path(name)), folder=Path(name).parent)
    for record in records():
        if record.name == name:
            return record
    known = ", ".join(record.name for record in records())
    raise KernelError(f"unknown device {name!r}; known: host, {known}, or a .toml file of your own")


def host() -> Device:
    """The most capable class whose machine and features are this machine's."""
    for record in records():
        if record.runs_here and not record.board:
            return record
    raise KernelError(f"no device record fits this machine ({platform.machine()}); see zoo devices")


@cache
def features() -> frozenset[str]:
    """CPU features that this machine's kernel reports, in the spelling of the records."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return frozenset()
    words = next(
        (line.split(":", 1)[1].split() for line in lines if line.lower().startswith(("flags", "features"))), []
    )
    return frozenset(word.replace("sse4_2", "sse4.2") for word in words)
