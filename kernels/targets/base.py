"""What a kind of machine has to say, from the settings of its schedules to the artifact: one class, one subclass a kind.

A new kind is a folder here, whose `TARGET` is such a subclass, and a device record that names the folder as its `kind`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..dtype import F32, DType
from ..errors import KernelError
from ..ir.workload import Workload

if TYPE_CHECKING:
    from ..bench.peak import Peak
    from ..device import Device
    from ..ir.plan import Array
    from ..ir.program import Program

Knobs = Mapping[str, int]  # the numbers that a schedule leaves open
OnProgress = Callable[[str, int, int], None]  # (what is being done, parts done, parts in all)
Run = Callable[["Array"], "Array"]  # (3, H, W) in [0, 1] -> (H, W) metres
Facts = dict[Workload, dict[str, Any]]  # what the manifest says of a kernel
Description = dict[str, Any]  # what a library says of itself, and the manifest repeats

COMMAND = "./fastdepth photo.ppm"  # where the artifact has a program


class Timer(Protocol):
    """What makes one kernel ready to be timed: on this machine, as a program, or as a library for TVM's RPC server."""

    def here(self, w: Workload, knobs: Knobs, runs: int, flush: int) -> list[float]:
        """Seconds of each run on this machine, `flush` bytes of memory touched before each."""

    def program(self, w: Workload, knobs: Knobs, folder: Path, runs: int, flush: int) -> Path:
        """A program that prints the seconds of each run, a line each."""

    def library(self, w: Workload, knobs: Knobs, folder: Path) -> Path:
        """A library with the kernel, under symbol(w)."""


class Target(ABC):
    """A device as what its kind is. Where a method takes knobs that are not legal, it may fail in any way."""

    version: int  # of the schedules; records made for another are not used
    stores: tuple[str, ...] = (F32.name,)  # how its runtime can read parameters

    def __init__(self, device: Device) -> None:
        self.device = device

    @classmethod
    @abstractmethod
    def files(cls) -> tuple[str, ...]:
        """Names of what `package` makes, the library with the kernels first."""

    @abstractmethod
    def validate(self) -> None:
        """Raise ValueError where the device's record does not fit its kind."""

    @property
    @abstractmethod
    def runs_here(self) -> bool:
        """Whether this machine can run what is compiled for the device."""

    def for_dtype(self, dtype: DType) -> Device:
        """The device, with what kernels of a dtype use of it beyond what all kernels do. Raises KernelError where there are
        no kernels of that dtype."""
        if dtype != F32:
            raise KernelError(
                f"{self.device.name}: there are no {dtype} kernels for devices of kind {self.device.kind}"
            )
        return self.device

    def offset(self, w: Workload) -> int:
        """What a quantised kernel takes from the numbers that it reads, so that the bias must make up for it."""
        return 0

    @property
    @abstractmethod
    def summary(self) -> str:
        """What the kernels are for, in a few words."""

    @property
    @abstractmethod
    def emulator(self) -> str:
        """The program that `run_elsewhere` needs, or an empty string."""

    @property
    @abstractmethod
    def command(self) -> str:
        """What to type in the artifact's folder, on the device, for a picture's depth."""

    @abstractmethod
    def space(self, w: Workload) -> Iterator[dict[str, int]]:
        """Every setting worth trying, all of them legal."""

    @abstractmethod
    def default(self, w: Workload) -> dict[str, int]:
        """A setting that works well untuned. Raises KernelError where there is no kernel for the workload."""

    @abstractmethod
    def check(self, w: Workload, knobs: Knobs) -> None:
        """Raise KernelError, with the reason, unless the setting is legal."""

    @abstractmethod
    def tasks(self, w: Workload, knobs: Knobs) -> int:
        """Into how many tasks a kernel can be divided among threads, counted only up to where more do not help."""

    @abstractmethod
    def workspace(self, w: Workload, knobs: Knobs) -> int:
        """Bytes of memory that one task allocates while it runs."""

    @abstractmethod
    def features(self, w: Workload, knobs: Knobs) -> list[float]:
        """What the tuner's model sees of a setting, beside the workload."""

    @abstractmethod
    def schedule(self, sch: Any, w: Workload, knobs: Knobs) -> None:
        """Apply the setting to the workload's computation, a TVM schedule."""

    @abstractmethod
    def package(self, program: Program, facts: Description, work: Path, made: Path, on_progress: OnProgress) -> Facts:
        """Compile and link a program into the folder `made`, all but parameters and manifest; `work` is for scratch."""

    @abstractmethod
    def run_elsewhere(
        self, folder: Path, program: Program, image: Array, on_progress: OnProgress
    ) -> tuple[Array, str] | None:
        """(depth of an image that holds whole 255ths, how it came about) on a machine that cannot run the artifact; None
        where that needs something that is not here. The depth is (H, W), or (n, H, W) of n libraries in one artifact.
        Raises KernelError if it fails."""

    @abstractmethod
    def timer(self, how: str) -> Timer:
        """What times the device's kernels. Raises KernelError where there is nothing yet that times them `how`."""

    @abstractmethod
    def peak(self, threads: int) -> Peak:
        """Measure what this machine, as such a device, can do at most. Raises KernelError."""
