"""Records of AutoTVM 0.1 as records of ours: `zoo log import`.

That is what TVM's tuner wrote until 2024, one JSON array a line, and what the authors of FastDepth left of their TX2
(github.com/dwofk/fast-depth, deploy/). TVM of today cannot read it.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from ..device import Device
from ..dtype import F32
from ..errors import KernelError
from ..ir.workload import Workload
from ..processor import Machine
from ..records import FOREIGN, Record
from ..targets import target_of
from ..targets.cuda.space import NAMES, VTHREADS
from ..targets.simd_space import STAGE_BYTES, default, divisors, staged

CHANNELS = 3  # the loop of a spatial annotation that runs over channels
NCHW = ("topi_nn_conv2d", "topi_nn_depthwise_conv2d_nchw")


def parse(line: str, device: str, machine: Machine) -> Record:
    """The record that a line holds, as measured on `machine` for `device`. Raises KernelError.

    Its knobs are kept under their own names, factors of a split numbered from the outermost. They belong to no schedule
    of ours: what such a record says is how fast a convolution can be.
    """
    try:
        content = json.loads(line)
        _, task, arguments, _, operator, setting = content["i"]
        seconds, failed, _, when = content["r"]
        if content["v"] != 0.1 or task not in NCHW or operator[-1] != F32.tvm:
            raise KernelError(f"not an AutoTVM 0.1 record of a {F32.tvm} NCHW convolution (task {task!r})")
        (_, (batch, cin, height, width), _), (_, (cout, _, kernel_size, _), _), (stride, _) = arguments[:3]
        workload = Workload(_kind(task, cin, cout, kernel_size), kernel_size, stride, cin, cout, height, width)
        if "depthwise" in task:
            workload = Workload("depthwise", kernel_size, stride, cin, cin, height, width)
        if batch != 1 or [kernel_size // 2] * 2 != arguments[3]:
            raise KernelError(
                f"{workload}: batch {batch}, padding {arguments[3]}; batch 1, padding {kernel_size // 2} fit"
            )
        times = () if failed else tuple(float(value) for value in seconds)
        date = time.strftime("%Y-%m-%d", time.gmtime(when))
        error = f"AutoTVM error {failed}" if failed else None
        record = Record(
            device, workload, FOREIGN, _knobs(setting["e"]), times, "imported", machine, "AutoTVM 0.1", date, error
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise KernelError(f"not an AutoTVM 0.1 record ({type(error).__name__}: {str(error)[:80]})") from error
    return Record.parse(record.line())


def translated(record: Record, device: Device) -> Record | None:
    """The same tiling in the knobs of our schedule, where it has one; None where it has not.

    What such a record says is which tile won; its seconds are those of the original, with the original's loops around it.
    """
    if record.workload.kind == "head":  # ours runs before the doubling, theirs ran after it
        return None
    target = target_of(device)
    try:
        knobs = TRANSLATIONS[device.kind](record, device)
        target.check(record.workload, knobs)
    except (KeyError, KernelError):
        return None
    return replace(record, schedule_version=target.version, knobs=knobs)


def _for_cuda(record: Record, _: Device) -> dict[str, int]:
    """AutoTVM splits an axis four ways: blocks, virtual threads, threads, results in a row. A thread's results are the
    product of the second and the last here, in as many groups."""
    k = record.knobs
    tiles = {axis: (k[f"tile_{axis}.2"], k[f"tile_{axis}.1"] * k[f"tile_{axis}.3"]) for axis in "fyx"}
    threads, results = zip(*tiles.values(), strict=True)
    tile_ic = 1 if record.workload.kind == "depthwise" else k.get("tile_rc.1", 1)
    vthreads = {
        name: k[f"tile_{axis}.1"] for name, axis in zip(VTHREADS, "fyx", strict=True) if k[f"tile_{axis}.1"] > 1
    }
    return dict(zip(NAMES, (*threads, *results, tile_ic), strict=True)) | vthreads


def _for_cpu(record: Record, device: Device) -> dict[str, int]:
    """AutoTVM's tile of channels, rows and columns, where its channels are what a vector holds. Every task there worked
    through the whole height; here through as much of it as a task may stage."""
    w, k = record.workload, record.knobs
    depthwise = w.kind == "depthwise"
    channels, tile_h, tile_w = (k[f"tile_{axis}.1"] for axis in (("c", "h", "w") if depthwise else ("co", "oh", "ow")))
    tile_oc, rest = divmod(channels, device.simd_lanes)
    if k["ann.vector" if depthwise else "ann_spatial.vector"] != CHANNELS or rest or (depthwise and tile_oc > 1):
        raise KernelError("not a tile of whole vectors of channels")
    plain, tile = default(w, device), {"tile_h": tile_h, "tile_w": tile_w, "tile_oc": tile_oc}
    tasks = [t for t in divisors(w.conv_sides[0]) if t % tile_h == 0]
    fit = [t for t in tasks if t == tile_h or staged(w, t, device) <= STAGE_BYTES]
    return plain | tile | {"task_h": max(fit)}


TRANSLATIONS = {"cpu": _for_cpu, "cuda": _for_cuda}  # by kind of device


def _kind(task: str, cin: int, cout: int, kernel_size: int) -> str:
    if kernel_size == 1:
        return "head" if cout == 1 else "pointwise"
    return "stem" if cin == 3 else "conv"


def _knobs(entities: list[Any]) -> dict[str, int]:
    """Splits, numbers, and which loop became vectors (from 1); a number of 0 says what its absence says."""
    found: dict[str, int] = {}
    for name, kind, value in entities:
        if kind == "sp":
            found |= {f"{name}.{i}": factor for i, factor in enumerate(value)}
        elif kind == "an" and "vec" in value:
            found[f"{name}.vector"] = value.index("vec") + 1
        elif kind == "ot" and type(value) is int and value:
            found[name] = value
    return found
