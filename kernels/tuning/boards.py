"""Several boards at once: each setting goes to whichever is free, and a board that is gone is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from ..device import Device
from ..errors import KernelError, UnreachableError
from ..ir.workload import Workload
from ..records import Record
from . import rpc
from .local import LocalRunner
from .measure import Measurer, Runner
from .remote import RemoteRunner

Knobs = dict[str, int]
RPC = "rpc"  # the runner that stands for a tracker's boards


def reach(device: Device, runners: Sequence[str], tracker: str | None, key: str | None) -> list[Runner]:
    """What `zoo tune --runner … --tracker … --key …` asks for; this machine where there is no runner. Raises KernelError."""
    runners = list(dict.fromkeys(runners))  # two trials at once would spoil each other's times
    if (RPC in runners) != bool(tracker) or bool(tracker) != bool(key):
        raise KernelError("--runner rpc, --tracker HOST:PORT and --key KEY go together")
    found: list[Runner] = []
    for runner in runners:
        found += rpc.runners(device, str(tracker), str(key)) if runner == RPC else [RemoteRunner(device, runner)]
    return found or [LocalRunner(device)]


class Boards:
    """Boards of one kind, taken for one by whoever searches."""

    def __init__(self, boards: Sequence[Measurer], say: Callable[[str], None] = lambda _: None) -> None:
        """`say` is told, in one line, which board is gone while others are left."""
        self._say, self._left, self._reason = say, len(boards), ""
        self._free: SimpleQueue[Measurer | None] = SimpleQueue()
        for board in boards:
            self._free.put(board)

    def measure(self, workload: Workload, knobs: Knobs) -> Record:
        """Have the next free board measure; if it is gone, another. Raises KernelError where none is left."""
        while (board := self._free.get()) is not None:
            try:
                record = board.measure(workload, knobs)
            except UnreachableError as gone:
                self._lose(str(gone))
            else:
                self._free.put(board)
                return record
        self._free.put(None)  # for whoever still waits
        raise KernelError(f"no board is left: {self._reason}")

    def _lose(self, reason: str) -> None:
        self._left -= 1
        self._reason = reason
        if self._left:
            self._say(f"{reason}; {self._left} left")
        else:
            self._free.put(None)

    def spread(self, trial: Callable[[Knobs], Record], settings: Sequence[Knobs]) -> Iterator[Record]:
        """What `trial` makes of every setting, in order; at the same time where there are several boards."""
        if self._left == 1:
            yield from map(trial, settings)
            return
        with ThreadPoolExecutor(self._left) as pool:
            yield from pool.map(trial, settings)
