"""Timing kernels on boards that run TVM's RPC server, found through TVM's tracker.

On the board: `python -m tvm.exec.rpc_server --tracker HOST:PORT --key KEY`; anywhere: `python -m tvm.exec.rpc_tracker`.
"""

from __future__ import annotations

import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from ..device import Device
from ..errors import KernelError, UnreachableError
from ..extras import require
from ..ir.program import symbol
from ..ir.workload import Workload
from ..processor import UNKNOWN, Machine, is_vague
from ..targets import target_of
from ..tvm_private import llvm_processor, one_thread
from .local import ProcessRunner
from .measure import FLUSH, RUNS

Address = tuple[str, int]
SESSION = 8  # seconds until a server ends what it runs: upload, load, ten runs
WAIT = 15.0  # seconds for an answer of the tracker, so how long a board may be busy; with SESSION below LIMIT


class RpcRunner(ProcessRunner):
    """Measures on whichever board of a key the tracker has free."""

    def __init__(self, device: Device, address: Address, key: str, place: int, machine: Machine) -> None:
        """`place` counts the runners of that key from 0."""
        super().__init__(device, partial(measured, device, address, key, place), machine)


def runners(device: Device, tracker: str, key: str) -> list[RpcRunner]:
    """One for every board that the tracker has under that key. Raises KernelError."""
    require("tvm", "xgboost", "ziglang")
    target_of(device).timer("through a tracker")
    host, _, port = tracker.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise KernelError(f"--tracker {tracker!r}: give HOST:PORT")
    address = (host, int(port))
    keys = offered(address)
    if key not in keys:
        raise KernelError(f"{tracker}: no board under {key!r}; it has {', '.join(sorted(set(keys))) or 'none at all'}")
    machine = Machine(_processor(device, address, key), f"{key} of {address[0]}:{address[1]}")
    return [RpcRunner(device, address, key, place, machine) for place in range(keys.count(key))]


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

    `place` counts the runners of that key from 0: where the tracker has no more boards than that, a failure is that of a
    board that is gone."""
    socket.setdefaulttimeout(WAIT)
    with tempfile.TemporaryDirectory() as scratch:
        library = target_of(device).timer("through a tracker").library(workload, knobs, Path(scratch))
        try:
            return _run(device, _session(address, key), workload, library)
        except Exception as error:  # TVM's errors are of many kinds
            if offered(address).count(key) <= place:
                raise UnreachableError(
                    f"{key} of {address[0]}:{address[1]}: a board is gone ({error})".splitlines()[0]
                ) from error
            raise


def _processor(device: Device, address: Address, key: str) -> str:
    """What the compiler on one of the boards calls its processor; where there is none, what the device's record says."""
    said = llvm_processor(_session(address, key))
    return said if not is_vague(said) else device.processor or UNKNOWN


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
    import tvm

    from ..algorithm import operands

    one_thread(session)
    session.upload(str(library))
    tensors = [tvm.runtime.tensor(values, session.cpu()) for values in operands(workload, device.simd_lanes)]
    module = session.load_module(library.name)
    evaluate = module.time_evaluator(
        symbol(workload), session.cpu(), number=1, repeat=RUNS + 1, cache_flush_bytes=FLUSH
    )
    return [round(float(seconds), 9) for seconds in evaluate(*tensors).results[1:]]
