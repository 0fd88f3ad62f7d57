"""The timing protocol of one kernel, and what came of it as a record."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Protocol, Self

from ..device import Device
from ..ir.workload import Workload
from ..processor import Machine
from ..records import Record
from ..targets import target_of

RUNS = 9
FLUSH = 4 << 20  # bytes touched between runs: in a network, other layers have used the cache meanwhile
LIMIT = 30.0  # seconds to build and run one setting


class Measurer(Protocol):
    """What measures settings, one at a time: this machine, or a board. Raises UnreachableError where it no longer can."""

    def measure(self, workload: Workload, knobs: dict[str, int]) -> Record:
        """One setting of one workload, built and timed."""


class Runner(Measurer, Protocol):
    """A measurer that is opened and closed."""

    @property
    def machine(self) -> Machine:
        """What it measures on. Raises UnreachableError."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def record(
    device: Device,
    workload: Workload,
    knobs: dict[str, int],
    seconds: tuple[float, ...],
    error: str | None,
    provenance: str,
    machine: Machine,
) -> Record:
    """What came of one setting, today."""
    date, tvm = datetime.now(UTC).strftime("%Y-%m-%d"), version("apache-tvm")
    return Record(
        device.name, workload, target_of(device).version, knobs, seconds, provenance, machine, tvm, date, error
    )
