"""Tuning records: one JSON object a line, appended and never changed. A log survives torn lines, many writers, and time."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Any

from .device import Device
from .device import records as devices
from .errors import KernelError
from .files import opened, read_bounded
from .ir.workload import Workload
from .processor import UNKNOWN, Machine
from .targets import target_of
from .targets.base import Target
from .tuning import records_v1, records_v2

FORMAT = 3  # version of a line
FOLDER = Path(__file__).parent / "tuning" / "logs"
PROVENANCE = ("measured", "imported", "predicted", "emulated")  # an emulator's seconds are never taken for speed
EQUAL = 1.02  # times within this factor are equal: measurements scatter as much
BEYOND = 10  # times a device's peak: no kernel is that fast, whatever its cores, its clock and its data type
CALL = 1e-9  # seconds that calling even an empty kernel takes
FOREIGN = 0  # version of schedules that are not ours: such records say how long a convolution takes, not how to do it


@dataclass(frozen=True)
class Record:
    """One setting of one workload's knobs, and what came of it: seconds of each run, or the reason there are none."""

    device: str
    workload: Workload
    schedule_version: int  # of the schedules the knobs belong to
    knobs: dict[str, int]
    seconds: tuple[float, ...]
    provenance: str  # one of PROVENANCE
    machine: Machine  # that it ran on
    tvm: str
    date: str
    error: str | None = None

    @property
    def time(self) -> float:
        """Median seconds; infinite where the setting failed."""
        return median(self.seconds) if self.seconds else math.inf

    def line(self) -> str:
        """The record as it stands in a log."""
        fields = {"version": FORMAT} | asdict(self) | {"workload": str(self.workload), "machine": self.machine.fields()}
        return json.dumps(fields) + "\n"

    @classmethod
    def parse(cls, line: str) -> Record:
        """The record that a line holds. Raises KernelError for anything else, however strange."""
        try:
            first = records_v1.converted(json.loads(line, object_pairs_hook=_once))
            fields: dict[str, Any] = records_v2.converted(first, _boards())
            if fields.pop("version") != FORMAT:
                raise ValueError(f"this program reads versions 1 to {FORMAT}")
            seconds = tuple(float(value) for value in fields.pop("seconds"))
            knobs = {str(name): value for name, value in fields.pop("knobs").items()}
            workload, machine = Workload.parse(fields.pop("workload")), Machine.parse(fields.pop("machine"))
            record = cls(workload=workload, seconds=seconds, knobs=knobs, machine=machine, **fields)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise KernelError(f"not a record ({type(error).__name__}: {str(error)[:80]})") from error
        sound = all(math.isfinite(value) and value > 0 for value in seconds)
        whole = all(type(value) is int and 0 < value < 1 << 20 for value in knobs.values())
        if not (sound and whole and record.provenance in PROVENANCE and type(record.schedule_version) is int):
            raise KernelError("not a record (seconds, knobs, provenance or schedule_version are out of range)")
        if not all(isinstance(word, str) for word in (record.device, record.tvm, record.date, record.error or "")):
            raise KernelError("not a record (device, tvm, date and error are texts)")
        if seconds and min(seconds) < (least := least_seconds(record.device, record.workload)):
            raise KernelError(
                f"not a record ({min(seconds):g} s: no {record.device} does this in less than {least:.1e} s)"
            )
        return record


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError where it says a thing twice: which of both a reader believes is chance."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in it")
    return found


def placed(record: Record, processor: str) -> Record:
    """A record that does not say on which processor it was made, said; others as they are."""
    if record.machine.processor != UNKNOWN:
        return record
    return replace(record, machine=replace(record.machine, processor=processor))


def least_seconds(device: str, workload: Workload) -> float:
    """Seconds that nothing beats: those of `BEYOND` times the peak of the device of that name, or of the fastest that is
    known. A value that is read counts no less than a multiply-accumulate, so that a pool has a bound too."""
    peaks = {each.name: each.peak_macs for each in devices()}
    work = max(workload.macs, workload.cin * workload.height * workload.width)
    return max(CALL, work / (BEYOND * peaks.get(device, max(peaks.values()))))


@cache
def _boards() -> dict[str, str]:
    """The processor of every board that the zoo knows."""
    return {each.name: each.processor for each in devices() if each.board and each.processor}


def path_of(device: Device, processor: str) -> Path:
    """Where records of a device, made on a processor, are kept: a log holds what was measured on one kind of processor."""
    return (device.folder or FOLDER) / f"{processor}.jsonl"


def read(path: Path) -> tuple[list[Record], list[str]]:
    """(the records of a log, a remark for every line that does not hold one). A log that does not exist is empty."""
    if not path.exists():
        return [], []
    records, remarks = [], []
    for number, line in enumerate(read_bounded(path).decode(errors="replace").split("\n"), start=1):
        if line.strip():
            try:
                records.append(Record.parse(line))
            except KernelError as error:
                remarks.append(f"{path}:{number}: {error}")
    return records, remarks


def begun(path: Path) -> tuple[list[Record], list[str]]:
    """What `read` gives, of a log that is to be added to. Raises KernelError for a file that holds something else."""
    records, remarks = read(path)
    if remarks and not records:
        raise KernelError(f"{path}: not a tuning log, so nothing is added to it; choose another place")
    return records, remarks


def append(path: Path, records: Iterable[Record]) -> None:
    """Add records, whole lines in one write under a lock, so that several writers may share a log."""
    content = "".join(record.line() for record in records).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened(path, "ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":  # a writer died within a line: leave it a line of its own
                content = b"\n" + content
        file.write(content)


def present(records: Iterable[Record], device: Device) -> list[Record]:
    """Those of a device, made for the schedules of today."""
    version = target_of(device).version
    return [record for record in records if (record.device, record.schedule_version) == (device.name, version)]


def best(records: Iterable[Record], device: Device) -> dict[Workload, Record]:
    """The fastest record of every workload that this device and these schedules can use; of those as good as equal, the
    first whose work can be shared out among threads best."""
    groups = by_workload(present(records, device))
    found = {w: least([(record.time, record) for record in group], device) for w, group in groups.items()}
    return {w: record for w, record in found.items() if record}


def by_workload(records: Iterable[Record]) -> dict[Workload, list[Record]]:
    """Records that say how fast a setting is, by their workload."""
    groups: dict[Workload, list[Record]] = {}
    for record in records:
        if is_timed(record):
            groups.setdefault(record.workload, []).append(record)
    return groups


def least(scored: Iterable[tuple[float, Record]], device: Device) -> Record | None:
    """Of one workload's records the one with the lowest score whose knobs are legal; of those with as good as equal scores,
    the first whose work can be shared out among threads best."""
    target = target_of(device)
    usable = (pair for pair in sorted(scored, key=lambda pair: pair[0]) if _is_legal(pair[1], target))
    if not (first := next(usable, None)):
        return None
    equal = [first[1], *(record for _, record in takewhile(lambda pair: pair[0] <= EQUAL * first[0], usable))]
    return max(equal, key=lambda record: target.tasks(record.workload, record.knobs))


def per_convolution(records: Iterable[Record]) -> dict[Workload, float]:
    """Least seconds known of every convolution, whatever is fused to it and whichever schedule it ran with."""
    found: dict[Workload, float] = {}
    for record in records:
        if is_timed(record):
            found[record.workload.bare] = min(record.time, found.get(record.workload.bare, math.inf))
    return found


def is_timed(record: Record) -> bool:
    """Whether it says how fast a setting is: not where it failed, nor where an emulator ran it."""
    return bool(record.seconds) and record.provenance != "emulated"


def _is_legal(record: Record, target: Target) -> bool:
    try:
        target.check(record.workload, record.knobs)
    except KernelError:
        return False
    return True
