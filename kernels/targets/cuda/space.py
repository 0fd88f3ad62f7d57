"""Knobs of the schedules for graphics processors.

across, down, wide        threads of a block: over channels of the result, over its rows, over its columns
channels, rows, columns   what one thread computes: channels, rows and columns of pixels side by side
chunk                     input channels that a block holds in shared memory at a time
apart_channels, …         in how many groups they lie apart, each as far from the next as the block's threads reach (virtual
                          threads); 1 where not given
Sides are those of the convolution's result, before any doubling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import log2, prod

from ...device import Device, Gpu
from ...errors import KernelError
from ...ir.workload import Workload

WARP = 32
MOST_RESULTS = 128  # that one thread computes; they live in its registers
NAMES = ("across", "down", "wide", "channels", "rows", "columns", "chunk")
HEAD_NAMES = ("down", "wide")
APART = ("apart_channels", "apart_rows", "apart_columns")
# Where most of the tilings lie that won on a TX2 (logs/tx2.jsonl): threads of a block, results of a thread
DENSE, DEPTHWISE = (128, 56), (224, 2)
FETCH = 4  # multiply-adds that take as long as fetching one number into shared memory, roughly


def divisors(n: int, most: int) -> list[int]:
    """Every divisor up to `most`, smallest first."""
    return [d for d in range(1, min(n, most) + 1) if n % d == 0]


def space(w: Workload, device: Device) -> Iterator[dict[str, int]]:
    """The settings worth trying: legal, blocks of whole warps or nearly, threads with neither too little nor too much."""
    height, width = w.conv_sides
    if w.kind == "head":
        for down, wide in product(divisors(height, 32), divisors(width, 128)):
            knobs = {"down": down, "wide": wide}
            if not illegal(w, device, knobs):
                yield knobs
        return
    depthwise = w.kind == "depthwise"
    chunks = [1] if depthwise else [c for c in divisors(w.cin, 16) if c >= min(4, max(divisors(w.cin, 16)))]
    most = 8 if depthwise else 64
    tiles = product(divisors(w.cout, 2 if depthwise else 17), divisors(height, 7), divisors(width, 7))
    for channels, rows, columns in tiles:
        if channels * rows * columns > most:
            continue
        pixels = product(divisors(height // rows, 16), divisors(width // columns, 64))
        for across, (down, wide) in product(divisors(w.cout // channels, 32), list(pixels)):
            if not WARP <= across * down * wide <= 512 and w.cout * height * width > WARP * most:
                continue
            for chunk in chunks:
                knobs = dict(zip(NAMES, (across, down, wide, channels, rows, columns, chunk), strict=True))
                if not illegal(w, device, knobs):
                    yield knobs


def shared(w: Workload, k: Mapping[str, int]) -> int:
    """Bytes of shared memory that a block holds: its input with the border that it reads, and its filters."""
    if w.kind == "head":
        return 0
    across = k["across"] * k["channels"]
    reach = [(side - 1) * w.stride + w.taps for side in (k["down"] * k["rows"], k["wide"] * k["columns"])]
    depth, filters = (across, across) if w.kind == "depthwise" else (k["chunk"], k["chunk"] * across)
    return w.dtype.bytes * (depth * prod(reach) + filters * w.taps**2)


def illegal(w: Workload, device: Device, k: Mapping[str, int]) -> str:
    """Why a setting cannot be, or an empty string."""
    gpu, (height, width) = gpu_of(device), w.conv_sides
    names = HEAD_NAMES if w.kind == "head" else NAMES
    if set(k) - set(() if w.kind == "head" else APART) != set(names):
        return f"knobs {sorted(k)}, this schedule has {sorted(names)}"
    parts = (
        (w.cout, k.get("across", 1) * k.get("channels", 1), "channels"),
        (height, k["down"] * k.get("rows", 1), "rows"),
        (width, k["wide"] * k.get("columns", 1), "columns"),
        (1 if w.kind in ("depthwise", "head") else w.cin, k.get("chunk", 1), "input channels to sum over"),
    )
    for whole, part, what in parts:
        if part < 1 or whole % part:
            return f"{whole} {what} are not tiles of {part}"
    for name in APART:
        if k.get(name, 1) < 1 or k.get(name.removeprefix("apart_"), 1) % k.get(name, 1):
            return f"{k[name.removeprefix('apart_')]} {name.removeprefix('apart_')} are not {k[name]} equal groups"
    threads, results = _threads(k), _results(k)
    if threads > gpu.threads:
        return f"{threads} threads in a block, at most {gpu.threads}"
    if results > MOST_RESULTS or results * threads * 2 > gpu.registers:
        return f"{results} results for each of {threads} threads, too many for {gpu.registers} registers"
    if shared(w, k) > gpu.shared:
        return f"{shared(w, k)} bytes of shared memory, at most {gpu.shared}"
    return ""


def default(w: Workload, device: Device) -> dict[str, int]:
    """A setting that should work well untuned: whole warps, as many threads and results as those that won on a TX2."""
    if w.kind == "pool":
        raise KernelError(f"{w} on {device.name}: there is no kernel for pooling on graphics processors yet")
    gpu = gpu_of(device)
    good_threads, good_results = DEPTHWISE if w.kind in ("depthwise", "head") else DENSE

    def merit(k: Mapping[str, int]) -> tuple[float, ...]:
        threads, results = _threads(k), _results(k)
        blocks = w.cout * prod(w.conv_sides) / (threads * results)
        busy = min(1.0, blocks / (2 * gpu.multiprocessors))
        full = threads / (-(-threads // WARP) * WARP)
        near = min(threads, good_threads) / max(threads, good_threads)
        near *= (min(results, good_results) / max(results, good_results)) ** 0.5
        work = threads * results * w.taps**2 * k.get("chunk", 1)
        return (
            busy * full * near * work / (work + FETCH * shared(w, k) / w.dtype.bytes),
            k["wide"],
            -abs(k.get("chunk", 8) - 8),
        )

    names = HEAD_NAMES if w.kind == "head" else NAMES
    return max(space(w, device), key=merit, default=dict.fromkeys(names, 1))


def check(w: Workload, device: Device, knobs: Mapping[str, int]) -> None:
    """Raise KernelError, with the reason, unless the setting is legal."""
    if reason := illegal(w, device, knobs):
        raise KernelError(f"{w} on {device.name}: knobs {dict(knobs)} are not legal: {reason}")


def features(w: Workload, k: Mapping[str, int]) -> list[float]:
    """The setting as the tuner's model sees it: its numbers, threads, results of a thread, blocks, and bytes shared."""
    threads, results = _threads(k), _results(k)
    blocks = w.cout * prod(w.conv_sides) / (threads * results)
    numbers = (*(k.get(name, 1) for name in (*NAMES, *APART)), threads, results, blocks, shared(w, k))
    return [log2(1 + number) for number in numbers]


def _threads(k: Mapping[str, int]) -> int:
    return k.get("across", 1) * k["down"] * k["wide"]


def _results(k: Mapping[str, int]) -> int:
    return prod(k.get(name, 1) for name in ("channels", "rows", "columns"))


def gpu_of(device: Device) -> Gpu:
    """The GPU of a device's record. Raises KernelError where it has none."""
    if device.gpu is None:
        raise KernelError(f"{device.name} has no graphics processor")
    return device.gpu
