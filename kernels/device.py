"""Hardware is a record of capabilities. Schedules ask for capabilities, never for names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from . import processor
from .errors import KernelError
from .files import read_bounded

FOLDER = Path(__file__).parent / "devices"
LANES = (1, 4, 8, 16)
TYPES: dict[str, type] = dict.fromkeys(("name", "summary", "kind", "arch", "zig_target", "source"), str)
TYPES |= {"target": dict, "simd_lanes": int, "simd_registers": int, "cpu_features": list}
RENAMED = {"machine": "arch", "linker": "zig_target"}  # keys of version 1
RENAMED |= {"lanes": "simd_lanes", "registers": "simd_registers", "requires": "cpu_features"}


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
    kind: str  # the folder of kernels/targets that makes its kernels
    arch: str  # of its processor, as platform.machine() says
    target: Mapping[str, Any]  # what TVM is told
    zig_target: str  # architecture, system and oldest C library, as zig names them
    simd_lanes: int  # 32-bit values of one vector register; 1 where threads take their place
    simd_registers: int  # vector registers, or registers of a thread
    cpu_features: tuple[str, ...]  # that it must have, as the kernel's /proc/cpuinfo names them
    source: str  # where these facts were read
    optional_features: tuple[str, ...] = ()  # the same, of what makes kernels of some dtypes faster where it is there
    board: bool = False  # a board is chosen by name; `host` is always a class
    gpu: Gpu | None = None
    folder: Path | None = None  # of a record that somebody brought along; its tuning log lies beside it

    @property
    def peak_macs(self) -> float:
        """Multiply-accumulates per second that one core, or the graphics processor, cannot exceed: two vectors a cycle
        at 6 GHz; 128 lanes of each multiprocessor, the most that any has, at 3 GHz."""
        return 3e9 * 128 * self.gpu.multiprocessors if self.gpu else 6e9 * 2 * self.simd_lanes

    @property
    def processor(self) -> str | None:
        """What its code is tuned for by itself: a board's processor as the compiler calls it, a GPU's architecture. None for
        a class of machines, which many processors belong to."""
        name = str(self.target["mcpu"])
        return name if self.board and not processor.is_vague(name) else None

    @property
    def runs_here(self) -> bool:
        """Whether this machine can run what is compiled for the device."""
        from .targets import target_of

        return target_of(self).runs_here


@cache
def records() -> tuple[Device, ...]:
    """Every known device: classes, most capable first within an architecture, then boards."""
    found = [_read(path) for path in sorted(FOLDER.glob("*.toml"), reverse=True)]
    return tuple(sorted(found, key=lambda device: device.board))


def _read(path: Path) -> Device:
    try:
        return parse(tomllib.loads(read_bounded(path).decode()))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:  # tomllib's are ValueErrors
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise KernelError(f"{path}: not a device record ({what})") from error


def parse(record: Mapping[str, Any]) -> Device:
    """The device that a record describes. Raises KeyError, TypeError or ValueError where it does not describe one."""
    from .targets import target_of

    if old := [f"{key} is now {RENAMED[key]}" for key in record if key in RENAMED]:
        raise ValueError(f"its keys have new names: {', '.join(old)}; and kind is new: cpu or cuda")
    for key, expected in TYPES.items():
        if not isinstance(record[key], expected):
            raise TypeError(f"{key} is {record[key]!r}, not {expected.__name__}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", record["name"]):
        raise ValueError(f"name {record['name']!r}: small letters, digits and dashes")
    if record["simd_lanes"] not in LANES:
        raise ValueError(f"simd_lanes {record['simd_lanes']}: there are {', '.join(map(str, LANES))}")
    gpu = _gpu(record) if "gpu" in record else None
    features = {key: tuple(record.get(key, ())) for key in ("cpu_features", "optional_features")}
    found = Device(**{**record, **features, "gpu": gpu})
    target_of(found).validate()
    return found


def _gpu(record: Mapping[str, Any]) -> Gpu:
    target = record["target"]
    return Gpu(arch=target["mcpu"], threads=target["max_num_threads"], **record["gpu"])


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
    """The most capable class whose architecture and features are this machine's."""
    for record in records():
        if record.runs_here and not record.board:
            return record
    raise KernelError(f"no device record fits this machine ({processor.arch()}); see zoo devices")
