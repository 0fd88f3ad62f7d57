"""Hardware is a record of capabilities. Schedules ask for capabilities, never for names."""

from __future__ import annotations

import ctypes
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .errors import KernelError

FOLDER = Path(__file__).parent / "devices"
CUDA = "libcuda.so.1"  # the driver, as Linux names it
CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Gpu:
    """A graphics processor that takes PTX."""

    arch: str  # the oldest that the kernels run on, as PTX names it: sm_62
    multiprocessors: int
    shared: int  # bytes that a block of threads may share
    threads: int  # in a block, at most
    registers: int  # of a multiprocessor, shared out among the threads of its blocks

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
    found = []
    for path in sorted(FOLDER.glob("*.toml"), reverse=True):
        try:
            record = tomllib.loads(path.read_text())
            gpu = _gpu(record) if "gpu" in record else None
            found.append(Device(**{**record, "requires": tuple(record["requires"]), "gpu": gpu}))
        except (TypeError, KeyError, tomllib.TOMLDecodeError) as error:
            raise KernelError(f"{path}: not a device record ({error})") from error
    return tuple(sorted(found, key=lambda device: device.board))


def device(name: str) -> Device:
    """The device of that name; `host` is the most capable one that this machine is. Raises KernelError."""
    if name == "host":
        return host()
    for record in records():
        if record.name == name:
            return record
    raise KernelError(f"unknown device {name!r}; known: host, {', '.join(record.name for record in records())}")


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
