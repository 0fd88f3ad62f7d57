"""The timing protocol of one kernel: built and run in a process of its own, which may crash or hang without harm."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from ..device import CPUINFO, Device
from ..errors import KernelError, UnreachableError
from ..extras import require
from ..ir.workload import Workload
from ..records import Record
from ..targets.cpu.space import VERSION

RUNS = 9
FLUSH = 4 << 20  # bytes touched between runs: in a network, other layers have used the cache meanwhile
LIMIT = 30.0  # seconds to build and run one setting


Job = Callable[[Workload, dict[str, int]], list[float]]  # seconds of each run of one setting


class Process:
    """A process that measures settings, replaced when it dies."""

    def __init__(self, device: Device, job: Job, host: str, processor: int | None = None) -> None:
        """`job` is what it does, on `processor` alone if one is given; `host` is what the kernels run on, in words."""
        self.device, self.job, self.host, self.processor = device, job, host, processor
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
        return record(self.device, workload, knobs, tuple(seconds), error, "measured", self.host)

    def _connect(self) -> Connection:
        if self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self.job, self.processor), daemon=True)
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


class Worker(Process):
    """The process that measures on this machine, pinned to one processor."""

    def __init__(self, device: Device, processor: int | None = None) -> None:
        """Measure for `device`, which this machine must be able to run. Raises KernelError."""
        require("tvm", "xgboost")
        if not device.runs_here:
            raise KernelError(f"{device.name}: this machine cannot run it, so it cannot be tuned here")
        chosen = max(os.sched_getaffinity(0)) if processor is None else processor
        super().__init__(device, partial(_time, device), processor_name(), chosen)


def record(
    device: Device,
    workload: Workload,
    knobs: dict[str, int],
    seconds: tuple[float, ...],
    error: str | None,
    source: str,
    host: str,
) -> Record:
    """What came of one setting, today."""
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    return Record(device.name, workload, VERSION, knobs, seconds, source, host, _tvm(), date, error)


def processor_name() -> str:
    """What the processor calls itself."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _tvm() -> str:
    from importlib.metadata import version

    return version("apache-tvm")


def _serve(pipe: Connection, job: Job, processor: int | None) -> None:
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    os.environ["TVM_NUM_THREADS"] = "1"
    while True:
        try:
            workload, knobs = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(job(workload, knobs))
        except UnreachableError as gone:
            pipe.send(gone)
        except Exception as error:  # whatever TVM raises is this setting's failure, not the tuner's
            pipe.send(
                f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else type(error).__name__
            )


def _time(device: Device, workload: Workload, knobs: dict[str, int]) -> list[float]:
    import numpy as np
    import tvm
    from tvm import te

    from ..algorithm import ALGORITHMS
    from ..targets.cpu.schedule import schedule

    operands = ALGORITHMS[workload.kind].compute(workload, device.lanes)
    module = schedule(te.create_prim_func(operands), workload, device, knobs, "kernel").mod
    compiled = tvm.compile(module, target=tvm.target.Target(dict(device.target))).jit()
    rng = np.random.default_rng(0)
    tensors = [
        tvm.runtime.tensor(rng.random([int(n) for n in o.shape], np.float32).astype(workload.dtype.numpy))
        for o in operands
    ]
    evaluate = compiled.time_evaluator("kernel", tvm.cpu(), number=1, repeat=RUNS + 1, cache_flush_bytes=FLUSH)
    return [round(float(seconds), 9) for seconds in evaluate(*tensors).results[1:]]
