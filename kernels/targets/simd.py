"""Machines with vector registers: their schedules, and a kernel as an object file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..device import Device
from ..dtype import DType
from ..ir.workload import Workload
from . import scheduled, simd_space
from .base import Knobs, Target


class Simd(Target):
    """Kernels of register tiles. Where a method takes knobs that are not legal, it may fail in any way."""

    def for_dtype(self, dtype: DType) -> Device:
        """The device: plain loops are there for every dtype."""
        return self.device

    @property
    def summary(self) -> str:
        """Its vector registers."""
        return f"{self.device.simd_registers} vectors of {self.device.simd_lanes}"

    def space(self, w: Workload) -> Iterator[dict[str, int]]:
        """Every register tile that divides the sides and fits the registers."""
        return simd_space.space(w, self.device)

    def default(self, w: Workload) -> dict[str, int]:
        """Enough tasks to share out, then the tile that keeps the arithmetic units busiest."""
        return simd_space.default(w, self.device)

    def check(self, w: Workload, knobs: Knobs) -> None:
        """Raise KernelError, with the reason, unless the setting is in the space."""
        simd_space.check(w, self.device, knobs)

    def tasks(self, w: Workload, knobs: Knobs) -> int:
        """Strips and channel blocks that threads take by themselves, counted up to TASKS."""
        return simd_space.tasks(w, self.device, knobs)

    def workspace(self, w: Workload, knobs: Knobs) -> int:
        """Bytes of staged input and of accumulators, each rounded up to lines; the latter usually live in registers."""
        return simd_space.workspace(w, self.device, knobs)

    def features(self, w: Workload, knobs: Knobs) -> list[float]:
        """The tile, what it reads and writes, its tasks and registers."""
        return simd_space.features(w, self.device, knobs)

    def schedule(self, sch: Any, w: Workload, knobs: Knobs) -> None:
        """Tiles in registers, or lanes across a head's channels."""
        from .simd_schedule import schedule

        schedule(sch, w, self.device, knobs)


def compile_kernel(w: Workload, device: Device, knobs: Knobs, folder: Path) -> Path:
    """One workload -> one object file, whose symbol is TVM's prefix and symbol(w)."""
    import tvm

    from ..ir.program import symbol

    module, path = scheduled(w, device, knobs, symbol(w)).mod, folder / f"{symbol(w)}.o"
    tvm.compile(module, target=tvm.target.Target(dict(device.target))).mod.write_to_file(str(path))
    return path
