"""Processors with vector registers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import processor
from ...dtype import DType
from ...ir.workload import Workload
from ..base import COMMAND, Description, Facts, Knobs, OnProgress, Target, Timer
from . import space
from .instructions import instruction_for

if TYPE_CHECKING:
    from ...bench.peak import Peak
    from ...device import Device
    from ...ir.plan import Array
    from ...ir.program import Program

ARCHS = ("aarch64", "x86_64")


class Cpu(Target):
    """Kernels that are object files, linked into a shared library with threads of its own."""

    version = 1

    def validate(self) -> None:
        """Raise ValueError unless TVM is told the same architecture, one that is known."""
        if self.device.arch not in ARCHS:
            raise ValueError(f"arch {self.device.arch!r}: there are {' and '.join(ARCHS)}")
        must = {"kind": "llvm", "mtriple": f"{self.device.arch}-linux-gnu"}
        if not must.items() <= self.device.target.items():
            raise ValueError(f"target: it must hold {must}")

    @property
    def runs_here(self) -> bool:
        """Whether architecture and features are this machine's."""
        return self.device.arch == processor.arch() and set(self.device.cpu_features) <= processor.features()

    def for_dtype(self, dtype: DType) -> Device:
        """With the dot product instruction that it has for integers, if it has one: this machine's own, or where this is
        another machine the best of its class, whose features the loader then asks for."""
        here = processor.features() if self.runs_here else None
        there = [name for name in self.device.optional_features if here is None or name in here]
        features = (*self.device.cpu_features, *there)
        found = instruction_for(self.device.simd_lanes, features) if dtype.quantized else None
        if found is None:
            return self.device
        required = tuple(dict.fromkeys((*self.device.cpu_features, *found.cpu_features)))
        mattr = [*self.device.target.get("mattr", []), *found.mattr]
        return replace(self.device, cpu_features=required, target={**self.device.target, "mattr": mattr})

    def offset(self, w: Workload) -> int:
        """Its instruction's, but of a head, which is computed without one."""
        quantized = w.dtype.quantized and w.kind != "head"
        found = instruction_for(self.device.simd_lanes, self.device.cpu_features) if quantized else None
        return found.offset if found else 0

    @property
    def summary(self) -> str:
        """Its vector registers."""
        return f"{self.device.simd_registers} vectors of {self.device.simd_lanes}"

    @property
    def emulator(self) -> str:
        """QEMU of its architecture."""
        return f"qemu-{self.device.arch}-static"

    @property
    def command(self) -> str:
        """The program beside the library."""
        return COMMAND

    def space(self, w: Workload) -> Iterator[dict[str, int]]:
        """Every register tile that divides the sides and fits the registers."""
        return space.space(w, self.device)

    def default(self, w: Workload) -> dict[str, int]:
        """Enough tasks to share out, then the tile that keeps the arithmetic units busiest."""
        return space.default(w, self.device)

    def check(self, w: Workload, knobs: Knobs) -> None:
        """Raise KernelError, with the reason, unless the setting is in the space."""
        space.check(w, self.device, knobs)

    def tasks(self, w: Workload, knobs: Knobs) -> int:
        """Strips and channel blocks that threads take by themselves, counted up to TASKS."""
        return space.tasks(w, self.device, knobs)

    def workspace(self, w: Workload, knobs: Knobs) -> int:
        """Bytes of staged input and of accumulators, each rounded up to lines; the latter usually live in registers."""
        return space.workspace(w, self.device, knobs)

    def features(self, w: Workload, knobs: Knobs) -> list[float]:
        """The tile, what it reads and writes, its tasks and registers."""
        return space.features(w, self.device, knobs)

    def schedule(self, sch: Any, w: Workload, knobs: Knobs) -> None:
        """Tiles in registers, or lanes across a head's channels."""
        from .schedule import schedule

        schedule(sch, w, self.device, knobs)

    def package(self, program: Program, facts: Description, work: Path, made: Path, on_progress: OnProgress) -> Facts:
        """Object files, tables of the steps, and the runtime with its pool of threads."""
        from .package import package

        return package(program, facts, work, made, on_progress)

    def run_elsewhere(
        self, folder: Path, program: Program, image: Array, on_progress: OnProgress
    ) -> tuple[Array, str] | None:
        """The artifact's own program, under QEMU. Says nothing of speed."""
        from .emulate import emulate

        depth = emulate(folder, self.device, self.emulator, image)
        return None if depth is None else (depth, "emulated")

    def timer(self, how: str) -> Timer:
        """Here, through a runner and through a tracker."""
        from .timer import CpuTimer

        return CpuTimer(self.device)

    def peak(self, threads: int) -> Peak:
        """Multiply-adds in registers and bytes copied, by a program of our own."""
        from .peak import measure

        return measure(self.device, threads)


TARGET = Cpu
