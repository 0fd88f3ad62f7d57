"""Timing kernels on a board that has nothing but Linux: built here, sent as one program, run there, its lines read.

A runner says how to reach the board: `ssh:user@board`, or the words of a command that takes a program's path.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from ..device import Device
from ..errors import KernelError, UnreachableError
from ..extras import require
from ..ir.workload import Workload
from ..records import Record
from ..targets import target_of
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

    def measure(self, workload: Workload, knobs: dict[str, int], limit: float = LIMIT) -> Record:
        """Build, send and time one setting. What goes wrong there is in the record's `error`, with no seconds;
        UnreachableError where the board itself is missing."""
        processor, error = "unknown", None
        seconds: tuple[float, ...] = ()
        with tempfile.TemporaryDirectory() as scratch:
            with BUILDING:
                program = self.timer.program(workload, knobs, Path(scratch), RUNS, FLUSH)
            try:
                processor, *lines = self._run(program, limit)
                seconds = tuple(map(float, lines))
            except subprocess.TimeoutExpired:
                error = f"no answer within {limit:.0f} s"
            except ValueError as failure:
                error = str(failure)
        return record(self.device, workload, knobs, seconds, error, self.provenance, processor)

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
