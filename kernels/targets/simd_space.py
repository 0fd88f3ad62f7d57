"""Knobs: the numbers a schedule leaves open, which of them are legal for a workload on a device, and a default for each.

tile_h, tile_w   the register tile: rows and columns of pixels
tile_oc          and its channel blocks, one vector each
task_h           rows of pixels that one task works through (and stages, where it pads)
unroll           input channels per turn of the innermost loop, or fours of them where one instruction takes four
Sides are those of the convolution's result, before any doubling.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import log2, prod

from ..device import Device
from ..errors import KernelError
from ..ir.memory import LINE
from ..ir.workload import PER_CHANNEL, Workload
from ..layout import QUAD, quads
from .base import Knobs

STAGE_BYTES = 1 << 18  # the most one task stages, unless one row of tiles needs more
BUSY = 9  # independent multiply-adds that keep the units busy
TASKS = 4  # strips and channel blocks to share out, at least, where the layer has as many


def divisors(n: int) -> list[int]:
    """Every divisor, smallest first."""
    return [d for d in range(1, n + 1) if n % d == 0]


def space(w: Workload, device: Device) -> Iterator[dict[str, int]]:
    """Every legal setting. Tiles divide what they tile, and fit the vector registers with their operands."""
    height, width = w.conv_sides
    if w.kind == "head":
        for tile_w in divisors(width):
            if tile_w <= device.simd_registers:
                yield {"tile_w": tile_w}
        return
    count = -(-w.cout // device.simd_lanes)
    stacked = (1,) if w.kind in PER_CHANNEL else divisors(count)
    depth = quads(w.cin) if w.dtype.quantized else w.cin
    unrolls = [u for u in (1, 2, 4, 8, 16) if depth % u == 0] if w.kind == "pointwise" else [1]
    for tile_h, tile_w, tile_oc in product(divisors(height), divisors(width), stacked):
        if tile_h * tile_w * tile_oc + tile_oc + 1 > device.simd_registers:
            continue
        for task_h, unroll in product(divisors(height), unrolls):
            if task_h == tile_h or (task_h % tile_h == 0 and staged(w, task_h, device) <= STAGE_BYTES):
                yield {"tile_h": tile_h, "tile_w": tile_w, "tile_oc": tile_oc, "task_h": task_h, "unroll": unroll}


def in_place(w: Workload) -> bool:
    """Whether the input is read where it lies, its padding made by conditions: where nothing else is done to it, and
    few enough numbers read it that a copy of it does not pay. A copy of bytes does."""
    return w.kind in PER_CHANNEL and not w.prologue and not w.dtype.quantized


def staged(w: Workload, task_h: int, device: Device) -> int:
    """Bytes of padded input that a strip of rows needs a copy of."""
    if w.kind == "pointwise" or in_place(w):
        return 0
    depth = {"stem": w.cin, **dict.fromkeys(PER_CHANNEL, device.simd_lanes)}.get(
        w.kind, -(-w.cin // device.simd_lanes) * device.simd_lanes
    )
    wide = w.width + 2 * (w.kernel_size // 2) + (QUAD if w.dtype.quantized else 0)
    return w.dtype.bytes * depth * ((task_h - 1) * w.stride + w.kernel_size) * wide


def default(w: Workload, device: Device) -> dict[str, int]:
    """A setting that works well untuned: enough tasks to share out, then the tile that keeps the arithmetic units busiest."""

    def merit(k: dict[str, int]) -> tuple[float, ...]:
        if w.kind == "head":
            return (min(k["tile_w"], device.simd_lanes),)
        return (tasks(w, device, k), -_idleness(w, device, k), -abs(k["unroll"] - 4), k["task_h"])

    return max(space(w, device), key=merit)


def tasks(w: Workload, device: Device, knobs: Knobs) -> int:
    """Into how many tasks a kernel can be divided among threads, counted up to TASKS."""
    if w.kind == "head":
        return TASKS
    strips = w.conv_sides[0] // knobs["task_h"]
    together = w.kind == "stem" or (w.kind == "conv" and strips > 1)  # all blocks of a strip are one task
    return min(TASKS, strips * (1 if together else -(-w.cout // device.simd_lanes) // knobs["tile_oc"]))


def _idleness(w: Workload, device: Device, k: dict[str, int]) -> float:
    """How far a register tile is from the best; 0 is best. Fitted to what tiles of all shapes were measured to do."""
    pixels = k["tile_h"] * k["tile_w"]
    if w.kind not in PER_CHANNEL:  # just enough accumulators to hide a multiply-add's latency; more only spill
        return abs(pixels - BUSY) / BUSY + 0.1 * (k["tile_oc"] - 1)
    row = (k["tile_w"] - 1) * w.stride + w.kernel_size  # vectors of input that the taps of one row share
    loads = (k["tile_h"] * row + w.kernel_size) / (pixels * w.kernel_size)
    # Conditions need registers too.
    spilt = pixels / BUSY - 1 if in_place(w) else pixels + row + 1 - device.simd_registers
    return loads + max(0.0, BUSY / pixels - 1) + max(0, spilt)


def check(w: Workload, device: Device, knobs: Knobs) -> None:
    """Raise KernelError, with the reason, unless the setting is legal."""
    if dict(knobs) in space(w, device):
        return
    names = sorted(default(w, device))
    if sorted(knobs) != names:
        raise KernelError(f"{w}: knobs {sorted(knobs)}, this schedule has {names}")
    raise KernelError(
        f"{w} on {device.name}: knobs {dict(knobs)} are not legal; tiles must divide {w.conv_sides[0]}x{w.conv_sides[1]} "
        f"pixels and {-(-w.cout // device.simd_lanes)} channel blocks, and fit {device.simd_registers} registers"
    )


def workspace(w: Workload, device: Device, k: Knobs) -> int:
    """Bytes that one task allocates: staged input and accumulators, each rounded up to lines.

    The accumulators usually live in registers.
    """
    tile = max(k["tile_w"], 1) * k.get("tile_h", 1) * k.get("tile_oc", 1) * device.simd_lanes
    return staged(w, k.get("task_h", 1), device) + 2 * w.dtype.accumulator.bytes * tile + 4 * LINE


def features(w: Workload, device: Device, k: Knobs) -> list[float]:
    """The setting as the tuner's model sees it: the tile, what it reads and writes, its tasks and registers."""
    tile_h, tile_w, tile_oc, task_h, unroll = (
        k.get(name, 1) for name in ("tile_h", "tile_w", "tile_oc", "task_h", "unroll")
    )
    count, size = -(-w.cout // device.simd_lanes), w.dtype.bytes
    row = (tile_w - 1) * w.stride + w.kernel_size
    tile = (tile_h, tile_w, tile_oc, task_h, unroll, tile_h * tile_w, tile_h * tile_w * tile_oc)
    traffic = (staged(w, task_h, device), size * w.cin * w.height * w.width, size * w.cout * prod(w.out_sides))
    return [
        *(log2(1 + value) for value in (*tile, *traffic, w.conv_sides[0] / task_h * count / tile_oc)),
        1 / (tile_h * tile_w) + 1 / tile_oc,
        (tile_h * row + w.kernel_size) / (tile_h * tile_w * w.kernel_size),
        tile_h * tile_w * tile_oc / device.simd_registers,
    ]
