"""Timing kernels in a process of its own, which may crash or hang without harm; and that on this machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from ..device import Device
from ..errors import KernelError, UnreachableError
from ..extras import require
from ..ir.workload import Workload
from ..processor import Machine, here
from ..records import Record
from ..targets import target_of
from .measure import FLUSH, LIMIT, RUNS, record

Timing = Callable[[Workload, dict[str, int]], list[float]]  # a setting -> seconds of each run


class ProcessRunner:
    """Measures settings in a child process, which is replaced when it dies."""

    def __init__(self, device: Device, timing: Timing, machine: Machine, core: int | None = None) -> None:
        """`timing` is what the child does, on one core alone where one is given; `machine` is what kernels run on."""
        self.device, self.timing, self.machine, self.core = device, timing, machine, core
        self._process: Any = None
        self._pipe: Connection | None = None

    def measure(self, workload: Workload, knobs: dict[str, int], limit: float = LIMIT) -> Record:
        """Build and time one setting. What goes wrong is in the record's `error`, with no seconds; UnreachableError where
        that is the board itself."""
        seconds: list[float] = []
        try:
            pipe = self._connect()
            pipe.send((workload, knobs))
            if not pipe.poll(limit):
                raise TimeoutError(f"no answer within {limit:.0f} s")
            answer = pipe.recv()
            if isinstance(answer, UnreachableError):
                raise answer
            error = answer if isinstance(answer, str) else None
            seconds = [] if error else answer
        except (EOFError, OSError, TimeoutError) as failure:  # TimeoutError is an OSError
            error = str(failure) or "the process died"
            self.close()
        return record(self.device, workload, knobs, tuple(seconds), error, "measured", self.machine)

    def _connect(self) -> Connection:
        if self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self.timing, self.core), daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalRunner(ProcessRunner):
    """Measures on this machine, on one core."""

    def __init__(self, device: Device, core: int | None = None) -> None:
        """Measure for `device`, which this machine must be able to run. Raises KernelError."""
        require("tvm", "xgboost")
        timer = target_of(device).timer("here")
        if not device.runs_here:
            raise KernelError(f"{device.name}: this machine cannot run it, so it cannot be tuned here")
        chosen = max(os.sched_getaffinity(0)) if core is None else core
        super().__init__(device, partial(timer.here, runs=RUNS, flush=FLUSH), here(), chosen)


def _serve(pipe: Connection, timing: Timing, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    os.environ["TVM_NUM_THREADS"] = "1"
    while True:
        try:
            workload, knobs = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(timing(workload, knobs))
        except UnreachableError as gone:
            pipe.send(gone)
        except Exception as error:  # whatever TVM raises is this setting's failure, not the tuner's
            pipe.send(
                f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else type(error).__name__
            )
