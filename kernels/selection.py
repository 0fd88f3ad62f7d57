"""Which settings to compile with. Speed is a property of the processor, so those measured on it, if there are any.

The order, for each workload by itself:

own        what is fastest on the processor itself
near       what is fastest on the nearest that has records (`cores.nearest`)
portable   of all processors with records, the setting with the smallest worst slowdown over them: its time on each, by the
           least time there. Only settings measured on the most of them count: nobody knows how slow the others are
default    the schedule's own choice, where nobody has measured
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .cores import cores, nearest
from .device import Device
from .ir.workload import Workload
from .processor import UNKNOWN, here
from .records import FOLDER, Record, best, by_workload, least, path_of, placed, present, read

ANY = "any"  # asks for what is fast on every processor of a class
OWN, NEAR, PORTABLE = "own", "near", "portable"


@dataclass(frozen=True)
class Choice:
    """A record to compile a workload with."""

    record: Record
    basis: str  # OWN, NEAR or PORTABLE
    processors: tuple[str, ...]  # that it was measured on


def processor_of(device: Device) -> str:
    """The processor that kernels for a device are to be fast on: a board's own, else this machine's where it is such a
    device, else any."""
    return device.processor or (here().processor if device.runs_here else ANY)


def known(device: Device, processor: str | None = None) -> list[Record]:
    """Every record of a device, whichever processor it was made on: from the logs of the zoo or, for a record that somebody
    brought along, from those beside it, of which one may still have the device's name."""
    if device.folder:
        names = {device.name, processor or UNKNOWN, device.processor or UNKNOWN, here().processor, *cores()}
        paths = sorted(path_of(device, name) for name in names)
    else:
        paths = sorted(FOLDER.glob("*.jsonl"))
    ours = (record for path in paths for record in _read(path) if record.device == device.name)
    return [placed(record, device.processor or UNKNOWN) for record in ours]


def _read(path: Path) -> tuple[Record, ...]:
    """A log's records. Logs are long, and each holds those of several devices."""
    try:
        facts = path.stat()
    except OSError:
        return ()
    return _parsed(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=32)
def _parsed(path: Path, *_: int) -> tuple[Record, ...]:
    return tuple(read(path)[0])


def of_one(records: Iterable[Record], device: Device, processor: str) -> tuple[str, list[Record]]:
    """(a processor, the records made on it): this one, else the nearest that has records, else the one that has the most. So
    that times are compared which one machine took."""
    apart: dict[str, list[Record]] = {}
    for record in records:
        apart.setdefault(record.machine.processor, []).append(record)
    most = sorted(apart, key=lambda name: -len(apart[name]))
    order = [processor, *nearest(processor, apart, 32 * device.simd_lanes), *most]
    name = next((name for name in order if name in apart), processor)
    return name, apart.get(name, [])


def choices(device: Device, processor: str | None = None) -> dict[Workload, Choice]:
    """What to compile every workload with that anybody has measured, to be fast on a processor: by default `processor_of`."""
    return choose(known(device, processor), device, processor or processor_of(device))


def tuned(device: Device, processor: str | None = None) -> dict[Workload, Record]:
    """The records of these choices."""
    return {w: choice.record for w, choice in choices(device, processor).items()}


def choose(records: Iterable[Record], device: Device, processor: str) -> dict[Workload, Choice]:
    """The same, from these records."""
    groups = by_workload(present(records, device))
    apart: dict[str, list[Record]] = {}
    for group in groups.values():
        for record in group:
            apart.setdefault(record.machine.processor, []).append(record)
    fastest = {name: best(theirs, device) for name, theirs in apart.items()}
    order = [processor, *nearest(processor, apart, 32 * device.simd_lanes)]
    found = {}
    for w, group in groups.items():
        name = next((name for name in order if w in fastest.get(name, {})), None)
        if name:
            found[w] = Choice(fastest[name][w], OWN if name == processor else NEAR, (name,))
        elif choice := portable(group, device):
            found[w] = choice
    return found


def portable(group: Iterable[Record], device: Device) -> Choice | None:
    """Of one workload's records, of any processors, the setting with the smallest worst slowdown among those measured on the
    most of them; None where none is legal."""
    times: dict[tuple[tuple[str, int], ...], dict[str, Record]] = {}  # by setting, then by processor
    fastest: dict[str, float] = {}
    for record in sorted(group, key=lambda record: record.time):
        if least([(0.0, record)], device):
            times.setdefault(_setting(record), {}).setdefault(record.machine.processor, record)
            fastest.setdefault(record.machine.processor, record.time)
    most = max(map(len, times.values()), default=0)
    scored = [
        (max(record.time / fastest[name] for name, record in each.items()), next(iter(each.values())))
        for _, each in sorted(times.items())  # so that among equals no machine's speed decides
        if len(each) == most
    ]
    found = least(scored, device)
    return Choice(found, PORTABLE, tuple(sorted(times[_setting(found)]))) if found else None


def _setting(record: Record) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(record.knobs.items()))
