"""Timing kernels on boards that run TVM's RPC server, found through TVM's tracker.

On the board: `python -m tvm.exec.rpc_server --tracker HOST:PORT --key KEY`; anywhere: `python -m tvm.exec.rpc_tracker`.
"""

from __future__ import annotations

import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from ..artifact.build import compile_kernel, link
from ..artifact.lower import symbol
from ..device import Device
from ..errors import KernelError, UnreachableError
from ..extras import require
from ..ir.workload import Workload
from .measure import FLUSH, RUNS, Process

Address = tuple[str, int]
SESSION = 8  # seconds until a server ends what it runs: upload, load, ten runs
WAIT = (
    15.0  # seconds for an answer of the tracker, which is also how long a board may be busy; with SESSION below LIMIT
)


def boards(device: Device, tracker: str, key: str) -> list[Process]:
    """One measuring process for every board that the tracker has under that key. Raises KernelError."""
    require("tvm", "xgboost", "ziglang")
    if device.gpu:
        raise KernelError(f"{device.name}: kernels for GPUs cannot be timed through a tracker yet")
    host, _, port = tracker.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise KernelError(f"--tracker {tracker!r}: give HOST:PORT")
    address = (host, int(port))
    keys = offered(address)
    if key not in keys:
        raise KernelError(f"{tracker}: no board under {key!r}; it has {', '.join(sorted(set(keys))) or 'none at all'}")
    jobs = [partial(measured, device, address, key, place) for place in range(keys.count(key))]
    return [Process(device, job, f"{key} of {tracker}") for job in jobs]


def offered(address: Address) -> list[str]:
    """The keys of all boards that a tracker has, busy or not. Raises UnreachableError."""
    try:
        with socket.create_connection(address, WAIT):  # TVM would try for a minute
            pass
        servers = _tracker(address).summary()["server_info"]
    except (OSError, RuntimeError) as error:  # RuntimeError: not a tracker
        reason = getattr(error, "strerror", None) or error
        raise UnreachableError(f"no RPC tracker at {address[0]}:{address[1]}: {reason}") from error
    return [str(server["key"]).removeprefix("server:") for server in servers]


def measured(
    device: Device, address: Address, key: str, place: int, workload: Workload, knobs: dict[str, int]
) -> list[float]:
    """Seconds of each run of one setting, on the next board that is free. Runs in a process of its own.

    `place` counts the boards of that key from 0: what fails where there are no longer so many failed because of that."""
    socket.setdefaulttimeout(WAIT)
    with tempfile.TemporaryDirectory() as scratch:
        kernel, library = Path(scratch) / "kernel.o", Path(scratch) / "kernel.so"
        compile_kernel(workload, device, knobs, kernel)
        link(device, ["-fPIC", "-shared", str(kernel), "-o", str(library)])
        try:
            return _run(device, _session(address, key), workload, library)
        except Exception as error:  # TVM's errors are of many kinds
            if offered(address).count(key) <= place:
                raise UnreachableError(
                    f"{key} of {address[0]}:{address[1]}: a board is gone ({error})".splitlines()[0]
                ) from error
            raise


def _tracker(address: Address) -> Any:
    from tvm import rpc

    return rpc.connect_tracker(*address)


def _session(address: Address, key: str) -> Any:
    try:
        return _tracker(address).request(key, session_timeout=SESSION, max_retry=1)
    except RuntimeError as error:
        raise UnreachableError(
            f"{key} of {address[0]}:{address[1]}: no board to be had ({error})".splitlines()[0]
        ) from error


def _run(device: Device, session: Any, workload: Workload, library: Path) -> list[float]:
    import numpy as np
    import tvm

    from ..algorithm import ALGORITHMS

    session.get_function("runtime.config_threadpool")(1, 1)  # one thread, on a fast core
    session.upload(str(library))
    rng = np.random.default_rng(0)
    operands = ALGORITHMS[workload.kind].compute(workload, device.lanes)
    tensors = [
        tvm.runtime.tensor(
            rng.random([int(n) for n in o.shape], np.float32).astype(workload.dtype.numpy), session.cpu()
        )
        for o in operands
    ]
    module = session.load_module(library.name)
    evaluate = module.time_evaluator(
        symbol(workload), session.cpu(), number=1, repeat=RUNS + 1, cache_flush_bytes=FLUSH
    )
    return [round(float(seconds), 9) for seconds in evaluate(*tensors).results[1:]]
