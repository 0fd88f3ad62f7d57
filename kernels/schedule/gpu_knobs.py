"""Knobs of the schedules for graphics processors.

across, down, wide   threads of a block: over channels of the result, over its rows, over its columns
channels, rows       what one thread computes: so many channels, so many rows of pixels one below the other
chunk                input channels that a block holds in shared memory at a time
Sides are those of the convolution's result, before any doubling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from ..device import Device, Gpu
from ..errors import KernelError
from ..workload import Workload

MOST_RESULTS = 32  # that one thread computes
WARP = 32
GOOD_THREADS, GOOD_RESULTS = 256, 8
FETCH = 8  # multiply-adds that take as long as fetching one number into shared memory, roughly


def divisors(n: int, most: int) -> list[int]:
    """Every divisor up to `most`, smallest first."""
    return [d for d in range(1, min(n, most) + 1) if n % d == 0]


def space(w: Workload, device: Device) -> Iterator[dict[str, int]]:
    """Every legal setting: tiles divide what they tile, threads and shared memory suffice."""
    gpu = _gpu(device)
    height, width = w.conv_sides
    wide = divisors(width, 128)
    if w.kind == "head":
        for down, across in product(divisors(height, 32), wide):
            if down * across <= gpu.threads:
                yield {"down": down, "wide": across}
        return
    chunks = [1] if w.kind == "depthwise" else divisors(w.cin, 32)
    for channels, rows in product(divisors(w.cout, 8), divisors(height, 8)):
        if channels * rows > MOST_RESULTS:
            continue
        for across, down, columns in product(divisors(w.cout // channels, 64), divisors(height // rows, 32), wide):
            if across * down * columns > gpu.threads:
                continue
            for chunk in chunks:
                knobs = {"across": across, "down": down, "wide": columns, "channels": channels, "rows": rows}
                knobs["chunk"] = chunk
                if shared(w, knobs) <= gpu.shared:
                    yield knobs


def shared(w: Workload, knobs: Mapping[str, int]) -> int:
    """Bytes of shared memory that a block holds: its input with the frame it reads, and its filters."""
    if w.kind == "head":
        return 0
    across = knobs["across"] * knobs["channels"]
    reach = [(knobs[n] * tile - 1) * w.stride + w.taps for n, tile in (("down", knobs["rows"]), ("wide", 1))]
    depth, filters = (across, across) if w.kind == "depthwise" else (knobs["chunk"], knobs["chunk"] * across)
    return 4 * (depth * reach[0] * reach[1] + filters * w.taps**2)


def default(w: Workload, device: Device) -> dict[str, int]:
    """A setting that should work well untuned: whole warps, a good many threads, some results for each."""
    gpu = _gpu(device)
    height, width = w.conv_sides

    def merit(k: Mapping[str, int]) -> tuple[float, ...]:
        threads = k.get("across", 1) * k["down"] * k["wide"]
        results = k.get("channels", 1) * k.get("rows", 1)
        blocks = w.cout * height * width / (threads * results)
        busy = min(1.0, blocks / (2 * gpu.multiprocessors))
        # whole warps; enough threads to hide waiting, enough results each to reuse what it has loaded
        full = threads / (-(-threads // WARP) * WARP)
        amount = min(threads, GOOD_THREADS) / max(threads, GOOD_THREADS)
        reuse = min(results, GOOD_RESULTS) / max(results, GOOD_RESULTS)
        work = threads * results * w.taps**2 * k.get("chunk", 1)
        fetched = shared(w, k) / 4
        return (busy * full * amount * reuse * work / (work + FETCH * fetched), k["wide"], -abs(k.get("chunk", 8) - 8))

    return max(space(w, device), key=merit)


def check(w: Workload, device: Device, knobs: Mapping[str, int]) -> None:
    """Raise KernelError, with the reason, unless the setting is legal."""
    names = ["down", "wide"] if w.kind == "head" else ["across", "channels", "chunk", "down", "rows", "wide"]
    if sorted(knobs) != names:
        raise KernelError(f"{w}: knobs {sorted(knobs)}, this schedule has {names}")
    if dict(knobs) not in space(w, device):
        gpu = _gpu(device)
        raise KernelError(
            f"{w} on {device.name}: knobs {dict(knobs)} are not legal; tiles must divide {w.cout} channels of "
            f"{w.conv_sides[0]}x{w.conv_sides[1]} pixels, a block has at most {gpu.threads} threads and {gpu.shared} bytes"
        )


def _gpu(device: Device) -> Gpu:
    if device.gpu is None:
        raise KernelError(f"{device.name} has no graphics processor")
    return device.gpu
