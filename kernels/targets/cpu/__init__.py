"""Processors with vector registers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ... import processor
from ...dtype import DType
from ...instructions import instruction_for
from ...ir.workload import Workload
from ..base import COMMAND, Description, Facts, OnProgress, Timer
from ..simd import Simd

if TYPE_CHECKING:
    from ...bench.peak import Peak
    from ...device import Device
    from ...ir.plan import Array
    from ...ir.program import Program

ARCHS = ("aarch64", "x86_64")


class Cpu(Simd):
    """Kernels that are object files, linked into a shared library with threads of its own."""

    version = 1

    @classmethod
    def files(cls) -> tuple[str, ...]:
        """A library, a program of the same parts, the header, the Python twin."""
        from ...runtime.fastdepth import LIBRARY
        from ..native import HEADER, PROGRAM, TWIN

        return LIBRARY, PROGRAM, HEADER, TWIN

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
    def emulator(self) -> str:
        """QEMU of its architecture."""
        return f"qemu-{self.device.arch}-static"

    @property
    def command(self) -> str:
        """The program beside the library."""
        return COMMAND

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
