"""NVIDIA's graphics processors."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import processor
from ...errors import KernelError
from ...ir.workload import Workload
from ..base import COMMAND, Description, Facts, Knobs, OnProgress, Target, Timer
from . import space

if TYPE_CHECKING:
    from ...bench.peak import Peak
    from ...ir.plan import Array
    from ...ir.program import Program

DRIVER = "libcuda.so.1"  # as Linux names it


class Cuda(Target):
    """Kernels that are PTX, a text in the library that NVIDIA's driver compiles for the GPU it finds."""

    version = 1

    @classmethod
    def files(cls) -> tuple[str, ...]:
        """A library, a program of the same parts, the headers, the Python twin."""
        from ...runtime.fastdepth import LIBRARY
        from ..native import CUDA_HEADER, HEADER, PROGRAM, TWIN

        return LIBRARY, PROGRAM, HEADER, TWIN, CUDA_HEADER

    def validate(self) -> None:
        """Raise ValueError unless TVM is told to make PTX and the record has a [gpu]."""
        must = {"kind": "nvptx"}
        if not must.items() <= self.device.target.items():
            raise ValueError(f"target: it must hold {must}")
        if self.device.gpu is None:
            raise ValueError("gpu is missing: its multiprocessors, shared memory and registers")

    @property
    def runs_here(self) -> bool:
        """Whether the processor beside the GPU is this machine's, and there is a driver."""
        fits = self.device.arch == processor.arch() and set(self.device.cpu_features) <= processor.features()
        return fits and _driver()

    @property
    def summary(self) -> str:
        """The oldest GPU."""
        return f"GPUs from {space.gpu_of(self.device).arch} on"

    @property
    def emulator(self) -> str:
        """None: this processor runs the threads one after another."""
        return ""

    @property
    def command(self) -> str:
        """The program beside the library."""
        return COMMAND

    def space(self, w: Workload) -> Iterator[dict[str, int]]:
        """Blocks of whole warps or nearly, threads with neither too little nor too much to do."""
        return space.space(w, self.device)

    def default(self, w: Workload) -> dict[str, int]:
        """As many threads and results as those settings have that won on a TX2."""
        return space.default(w, self.device)

    def check(self, w: Workload, knobs: Knobs) -> None:
        """Raise KernelError, with the reason, unless tiles divide what they tile and fit threads, registers and memory."""
        space.check(w, self.device, knobs)

    def tasks(self, w: Workload, knobs: Knobs) -> int:
        """One: the GPU itself shares out its blocks, whatever the setting."""
        return 1

    def workspace(self, w: Workload, knobs: Knobs) -> int:
        """None: staged input is in the GPU's shared memory."""
        return 0

    def features(self, w: Workload, knobs: Knobs) -> list[float]:
        """Threads, results of a thread, blocks, and bytes shared."""
        return space.features(w, knobs)

    def schedule(self, sch: Any, w: Workload, knobs: Knobs) -> None:
        """Blocks of threads that fetch together, or a thread for every pixel of a head."""
        from .schedule import schedule

        schedule(sch, w, knobs)

    def package(self, program: Program, facts: Description, work: Path, made: Path, on_progress: OnProgress) -> Facts:
        """PTX in the tables of the steps, and the runtime that calls the driver; how each kernel is launched and, where
        there is an assembler, what it uses."""
        from .package import package

        return package(program, facts, work, made, on_progress)

    def run_elsewhere(
        self, folder: Path, program: Program, image: Array, on_progress: OnProgress
    ) -> tuple[Array, str] | None:
        """The same kernels, their threads one after another on this processor."""
        from .check import run

        return run(program, image, on_progress), "thread by thread"

    def timer(self, how: str) -> Timer:
        """Not yet."""
        raise KernelError(f"{self.device.name}: kernels for GPUs cannot be timed {how} yet")

    def peak(self, threads: int) -> Peak:
        """Not yet."""
        raise KernelError(f"{self.device.name}: what a GPU can do at most cannot be measured yet")


@cache
def _driver() -> bool:
    """Whether there is a CUDA driver."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return False
    return True


TARGET = Cuda
