"""Knobs of the schedules for graphics processors.

threads_oc, threads_h, threads_w   threads of a block: over channels of the result, over its rows, over its columns
thread_oc, thread_h, thread_w      what one thread computes: channels, rows and columns of pixels side by side
tile_ic                            input channels that a block holds in shared memory at a time
vthread_oc, vthread_h, vthread_w   virtual threads: in how many groups a thread's results lie apart, each as far from the
                                   next as the block's threads reach; 1 where not given
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
NAMES = ("threads_oc", "threads_h", "threads_w", "thread_oc", "thread_h", "thread_w", "tile_ic")
HEAD_NAMES = ("threads_h", "threads_w")
VTHREADS = ("vthread_oc", "vthread_h", "vthread_w")
# Where most of the tilings lie that won on a TX2 (logs/tx2.jsonl): threads of a block, results of a thread
DENSE, DEPTHWISE = (128, 56), (224, 2)
FETCH = 4  # multiply-adds that take as long as fetching one number into shared memory, roughly


def divisors(n: int, most: int) -> list[int]:
    """Every divisor up to `most`, smallest first."""
    return [d for d in range(1, min(n, most) + 1) if n % d == 0]


def space(w: Workload, device: Device) -> Iterator[dict[str, int]]:
    """The settings worth trying: legal, blocks of whole warps or nearly, threads with neither too little nor too much. Smaller
    blocks where the sides allow no others, such as 17 rows."""
    some = False
    for knobs in _settings(w, device, WARP):
        some = True
        yield knobs
    if not some:
        yield from _settings(w, device, 1)


def _settings(w: Workload, device: Device, least: int) -> Iterator[dict[str, int]]:
    """With at least so many threads in a block, unless the whole layer is small."""
    height, width = w.conv_sides
    if w.kind == "head":
        for threads_h, threads_w in product(divisors(height, 32), divisors(width, 128)):
            knobs = {"threads_h": threads_h, "threads_w": threads_w}
            if not illegal(w, device, knobs):
                yield knobs
        return
    depthwise = w.kind == "depthwise"
    depths = [1] if depthwise else [c for c in divisors(w.cin, 16) if c >= min(4, max(divisors(w.cin, 16)))]
    most = 8 if depthwise else 64
    tiles = product(divisors(w.cout, 2 if depthwise else 17), divisors(height, 7), divisors(width, 7))
    for tile in tiles:
        if prod(tile) > most:
            continue
        thread_oc, thread_h, thread_w = tile
        pixels = product(divisors(height // thread_h, 16), divisors(width // thread_w, 64))
        for threads_oc, (threads_h, threads_w) in product(divisors(w.cout // thread_oc, 32), list(pixels)):
            if not least <= threads_oc * threads_h * threads_w <= 512 and w.cout * height * width > WARP * most:
                continue
            for tile_ic in depths:
                knobs = dict(zip(NAMES, (threads_oc, threads_h, threads_w, *tile, tile_ic), strict=True))
                if not illegal(w, device, knobs):
                    yield knobs


def shared(w: Workload, k: Mapping[str, int]) -> int:
    """Bytes of shared memory that a block holds: its input with the border that it reads, and its filters."""
    if w.kind == "head":
        return 0
    tile_oc = k["threads_oc"] * k["thread_oc"]
    sides = (k["threads_h"] * k["thread_h"], k["threads_w"] * k["thread_w"])
    reach = prod((side - 1) * w.stride + w.kernel_size for side in sides)
    depth, filters = (tile_oc, tile_oc) if w.kind == "depthwise" else (k["tile_ic"], k["tile_ic"] * tile_oc)
    return w.dtype.bytes * (depth * reach + filters * w.kernel_size**2)


def illegal(w: Workload, device: Device, k: Mapping[str, int]) -> str:
    """Why a setting cannot be, or an empty string."""
    gpu, (height, width) = gpu_of(device), w.conv_sides
    names = HEAD_NAMES if w.kind == "head" else NAMES
    if set(k) - set(() if w.kind == "head" else VTHREADS) != set(names):
        return f"knobs {sorted(k)}, this schedule has {sorted(names)}"
    parts = (
        (w.cout, k.get("threads_oc", 1) * k.get("thread_oc", 1), "channels"),
        (height, k["threads_h"] * k.get("thread_h", 1), "rows"),
        (width, k["threads_w"] * k.get("thread_w", 1), "columns"),
        (1 if w.kind in ("depthwise", "head") else w.cin, k.get("tile_ic", 1), "input channels to sum over"),
    )
    for whole, part, what in parts:
        if part < 1 or whole % part:
            return f"{whole} {what} are not tiles of {part}"
    for name in VTHREADS:
        results = name.removeprefix("v")
        if k.get(name, 1) < 1 or k.get(results, 1) % k.get(name, 1):
            return f"{results} {k[results]} does not fall into {name} {k[name]} equal groups"
    threads, computed = _threads(k), _results(k)
    if threads > gpu.threads:
        return f"{threads} threads in a block, at most {gpu.threads}"
    if computed > MOST_RESULTS or computed * threads * 2 > gpu.registers:
        return f"{computed} results for each of {threads} threads, too many for {gpu.registers} registers"
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
        work = threads * results * w.kernel_size**2 * k.get("tile_ic", 1)
        return (
            busy * full * near * work / (work + FETCH * shared(w, k) / w.dtype.bytes),
            k["threads_w"],
            -abs(k.get("tile_ic", 8) - 8),
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
    numbers = (*(k.get(name, 1) for name in (*NAMES, *VTHREADS)), threads, results, blocks, shared(w, k))
    return [log2(1 + number) for number in numbers]


def _threads(k: Mapping[str, int]) -> int:
    return k.get("threads_oc", 1) * k["threads_h"] * k["threads_w"]


def _results(k: Mapping[str, int]) -> int:
    return prod(k.get(name, 1) for name in ("thread_oc", "thread_h", "thread_w"))


def gpu_of(device: Device) -> Gpu:
    """The GPU of a device's record. Raises KernelError where it has none."""
    if device.gpu is None:
        raise KernelError(f"{device.name} has no graphics processor")
    return device.gpu
