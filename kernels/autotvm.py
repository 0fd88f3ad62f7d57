"""Records of AutoTVM 0.1 as records of ours: `zoo log import`.

That is what TVM's tuner wrote until 2024, one JSON array a line, and what the authors of FastDepth left of their TX2
(github.com/dwofk/fast-depth, deploy/). TVM of today cannot read it.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from .device import Device
from .errors import KernelError
from .log import FOREIGN, Record
from .schedule.gpu_knobs import NAMES, illegal
from .schedule.knobs import VERSION
from .workload import Workload

NCHW = ("topi_nn_conv2d", "topi_nn_depthwise_conv2d_nchw")


def parse(line: str, device: str, host: str) -> Record:
    """The record that a line holds, as measured on `host` (a board in words) for `device`. Raises KernelError.

    Its knobs are kept under their own names, factors of a split numbered from the outermost. They belong to no schedule
    of ours: what such a record says is how fast a convolution can be.
    """
    try:
        content = json.loads(line)
        _, task, arguments, _, operator, setting = content["i"]
        seconds, failed, _, when = content["r"]
        if content["v"] != 0.1 or task not in NCHW or operator[-1] != "float32":
            raise KernelError(f"not an AutoTVM 0.1 record of a float32 NCHW convolution (task {task!r})")
        (_, (batch, cin, height, width), _), (_, (cout, _, taps, _), _), (stride, _) = arguments[:3]
        workload = Workload(_kind(task, cin, cout, taps), taps, stride, cin, cout, height, width)
        if "depthwise" in task:
            workload = Workload("depthwise", taps, stride, cin, cin, height, width)
        if batch != 1 or [taps // 2] * 2 != arguments[3]:
            raise KernelError(f"{workload}: batch {batch}, padding {arguments[3]}; batch 1, padding {taps // 2} fit")
        times = () if failed else tuple(float(value) for value in seconds)
        date = time.strftime("%Y-%m-%d", time.gmtime(when))
        error = f"AutoTVM error {failed}" if failed else None
        record = Record(
            device, workload, FOREIGN, _knobs(setting["e"]), times, "imported", host, "AutoTVM 0.1", date, error
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise KernelError(f"not an AutoTVM 0.1 record ({type(error).__name__}: {str(error)[:80]})") from error
    return Record.parse(record.line())


def translated(record: Record, device: Device) -> Record | None:
    """The same tiling in the knobs of our schedule, where it has one; None where it has not.

    AutoTVM's blocks split an axis four ways: blocks, virtual threads, threads, results in a row. A thread's results are
    the product of the second and the last here, side by side; its seconds are those of the original.
    """
    k = record.knobs
    try:
        (across, channels), (down, rows), (wide, columns) = (
            (k[f"tile_{axis}.2"], k[f"tile_{axis}.1"] * k[f"tile_{axis}.3"]) for axis in "fyx"
        )
    except KeyError:
        return None
    if device.gpu is None or record.workload.kind == "head":  # ours runs before the doubling, theirs ran after it
        return None
    chunk = 1 if record.workload.kind == "depthwise" else k.get("tile_rc.1", 1)
    knobs = dict(zip(NAMES, (across, down, wide, channels, rows, columns, chunk), strict=True))
    if illegal(record.workload, device, knobs):
        return None
    return replace(record, schedule=VERSION, knobs=knobs)


def _kind(task: str, cin: int, cout: int, taps: int) -> str:
    if taps == 1:
        return "head" if cout == 1 else "pointwise"
    return "stem" if cin == 3 else "conv"


def _knobs(entities: list[Any]) -> dict[str, int]:
    """Splits and numbers; orders and annotations have no numbers to keep, and a knob of 0 says what its absence says."""
    found: dict[str, int] = {}
    for name, kind, value in entities:
        if kind == "sp":
            found |= {f"{name}.{i}": factor for i, factor in enumerate(value)}
        elif kind == "ot" and type(value) is int and value:
            found[name] = value
    return found
