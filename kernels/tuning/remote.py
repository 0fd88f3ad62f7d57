"""Timing kernels on a board that has nothing but Linux: built here, sent as one program, run there, its lines read.

A runner says how to reach the board: `ssh:user@board`, or the words of a command that takes a program's path.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from ..cores import cores
from ..device import Device
from ..errors import KernelError, UnreachableError
from ..extras import require
from ..ir.workload import Workload
from ..processor import Machine, machine_of
from ..records import Record
from ..targets import target_of
from ..targets.native import RUNTIME, compile_c
from .measure import FLUSH, LIMIT, RUNS, record

OVER_SSH = "f=$(mktemp) && cat >$f && chmod +x $f && $f; s=$?; rm -f $f; exit $s"
# Nobody there to type a password; a board without power is noticed before a trial's time is over.
SSH = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
NO_CONNECTION = 255  # ssh's own exit code
BUILDING = Lock()  # TVM compiles for one board at a time, while others measure


class RemoteRunner:
    """Measures settings on the board that a runner reaches."""

    def __init__(self, device: Device, runner: str) -> None:
        """`device` is what to build for. Raises KernelError for a runner that cannot be one, or a device whose kernels it
        cannot time."""
        require("tvm", "xgboost", "ziglang")
        self.timer = target_of(device).timer("through a runner")
        self.device, self.ssh = device, runner.removeprefix("ssh:") if runner.startswith("ssh:") else None
        self.words = [*SSH, self.ssh, OVER_SSH] if self.ssh else shlex.split(runner)
        if not self.words or self.ssh == "":
            raise KernelError(f"--runner {runner!r}: give ssh:user@board, rpc, or a command that runs a program")
        # An emulator's seconds say nothing about the board's.
        self.provenance = "emulated" if Path(self.words[0]).name.startswith("qemu") else "measured"

    @cached_property
    def machine(self) -> Machine:
        """What the board says it is; its processor is what the device's record says where the table of cores lacks that.
        Raises KernelError."""
        with tempfile.TemporaryDirectory() as scratch:
            program = Path(scratch) / "report"
            compile_c(self.device, [RUNTIME / "report" / "main.c", "-o", program])
            try:
                found = machine_of("\n".join(self._run(program, LIMIT)))
            except (ValueError, subprocess.TimeoutExpired) as error:
                raise KernelError(f"{shlex.join(self.words)}: a program sent there does not run ({error})") from error
        doubted = self.provenance == "emulated" or found.processor not in cores()
        return replace(found, processor=self.device.processor or found.processor) if doubted else found

    def measure(self, workload: Workload, knobs: dict[str, int], limit: float = LIMIT) -> Record:
        """Build, send and time one setting. What goes wrong there is in the record's `error`, with no seconds;
        UnreachableError where the board itself is missing."""
        machine, error = self.machine, None
        seconds: tuple[float, ...] = ()
        with tempfile.TemporaryDirectory() as scratch:
            with BUILDING:
                program = self.timer.program(workload, knobs, Path(scratch), RUNS, FLUSH)
            try:
                seconds = tuple(map(float, self._run(program, limit)))
                if len(seconds) != RUNS:
                    raise ValueError(f"{len(seconds)} times came back, not {RUNS}")
            except subprocess.TimeoutExpired:
                error = f"no answer within {limit:.0f} s"
            except ValueError as failure:
                error, seconds = str(failure), ()
        return record(self.device, workload, knobs, seconds, error, self.provenance, machine)

    def _run(self, program: Path, limit: float) -> list[str]:
        """The lines that the program prints."""
        words = self.words if self.ssh else [*self.words, str(program)]
        try:
            given = program.read_bytes() if self.ssh else None
            done = subprocess.run(words, input=given, capture_output=True, timeout=limit, check=False)
        except OSError as error:
            raise UnreachableError(f"{self.words[0]}: {error.strerror or error}") from error
        said = done.stderr.decode(errors="replace").strip()
        if self.ssh and done.returncode == NO_CONNECTION:
            raise UnreachableError(f"{self.ssh} cannot be reached: {said[-200:]}")
        if done.returncode:
            raise ValueError(said.removeprefix("error: ")[-200:] or f"the program ended with {done.returncode}")
        return done.stdout.decode(errors="replace").splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
