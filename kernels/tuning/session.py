"""One tuning of a network's layers: boards opened and asked what they are, records read, a search, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ..device import Device
from ..errors import KernelError, UnreachableError
from ..ir.workload import Workload
from ..processor import LONGEST, Machine
from ..records import Record, append, begun, path_of, present
from ..selection import known
from .boards import Boards
from .measure import Runner
from .search import Others, tune

OnProgress = Callable[[str, int, int], None]
Warn = Callable[[str, str], None]  # (what happened, why)


@dataclass(frozen=True)
class Outcome:
    """Where records are, on what they were made, and all of that device and processor by now."""

    log: Path
    machine: Machine
    records: list[Record]


def session(
    workloads: Sequence[Workload],
    device: Device,
    reached: Sequence[Runner],
    trials: int,
    on_progress: OnProgress,
    warn: Warn,
    *,
    log: Path | None = None,
    name: str | None = None,
    seconds: float | None = None,
    seed: int = 0,
) -> Outcome:
    """Measure `trials` settings of every workload, or as many as can be in `seconds`, and add them to `log`: by default that
    of the processor which the boards turn out to have. `name` is what to call them in the records. What was measured on other
    processors says where to begin. Raises KernelError.
    """
    if name and (len(name) > LONGEST or not name.isprintable()):
        raise KernelError(f"--name {name[:40]!r}: at most {LONGEST} letters, on one line")
    until = None if seconds is None else time.monotonic() + seconds
    with ExitStack() as open_:
        machine, boards = _alike([open_.enter_context(board) for board in reached], warn)
        path = log or path_of(device, machine.processor)
        records, remarks = begun(path)
        for remark in remarks:
            warn("skipped", remark)
        ours = [r for r in present(records, device) if r.machine.processor == machine.processor]
        others = [r for r in present(known(device), device) if r.machine.processor != machine.processor]

        def keep(fresh: Iterable[Record]) -> None:
            append(path, [replace(r, machine=replace(r.machine, name=name or r.machine.name)) for r in fresh])

        crowd = Boards(boards, lambda gone: warn("gone", gone))
        tune(
            *(workloads, device, trials, ours, crowd.measure, keep, on_progress),
            seed=seed,
            spread=crowd.spread,
            others=Others(device, machine.processor, others),
            is_over=lambda: until is not None and time.monotonic() > until,
        )
    return Outcome(path, machine, ours)


def _alike(boards: Sequence[Runner], warn: Warn) -> tuple[Machine, list[Runner]]:
    """What the boards are that can be reached, and these. Raises KernelError where they are of several kinds, since their times
    are compared, or none is left."""
    found: list[tuple[Machine, Runner]] = []
    for i, board in enumerate(boards):
        try:
            found.append((board.machine, board))
        except UnreachableError as gone:
            if not found and i == len(boards) - 1:
                raise KernelError(f"no board is left: {gone}") from gone
            warn("gone", f"{gone}; {len(found) + len(boards) - 1 - i} left")
    machine, _ = found[0]
    for other, _ in found:
        if other.processor != machine.processor:
            raise KernelError(
                f"boards of several kinds: {machine.name} is {machine.processor}, {other.name} {other.processor}; "
                "tune them one by one"
            )
    return machine, [board for _, board in found]
