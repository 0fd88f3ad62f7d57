"""Processors with vector registers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ... import processor
from ..base import COMMAND, Description, Facts, OnProgress, Timer
from ..simd import Simd

if TYPE_CHECKING:
    from ...bench.peak import Peak
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
