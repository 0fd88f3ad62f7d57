"""What `zoo prune --cost` names: multiply-accumulates, weights, or seconds on a device, from its tuning log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import console
from ..errors import ZooError

if TYPE_CHECKING:
    from ..kernels.device import Device
    from ..prune.cost import Cost, Latency, Split


def priced(text: str) -> tuple[Cost, str, int]:
    """(the cost that a name stands for, its unit, values that a device's vector register holds)."""
    from ..kernels.device import device as find
    from ..prune.cost import macs, params

    if text == "macs":
        return macs, "MACs", 1
    if text == "params":
        return params, "weights", 1
    kind, _, name = text.partition(":")
    if kind != "latency" or not name:
        raise ZooError(f"no cost {text!r}; there are macs, params and latency:DEVICE, such as latency:host")
    device = find(name)
    return latency(device), "seconds", device.simd_lanes


def latency(device: Device) -> Latency:
    """Seconds on a device, as one processor took them: the device's own or this machine's, else the nearest with records, else
    the one that has the most. Which, and how far estimates between its measurements are off, is said."""
    import numpy as np

    from ..kernels.records import per_convolution
    from ..kernels.selection import known as records
    from ..kernels.selection import of_one, processor_of
    from ..model.walk import Shape
    from ..prune.cost import KINDS, Latency

    processor, ours = of_one(records(device), device, processor_of(device))
    known = {
        Shape(w.kind, w.kernel_size, w.stride, w.cin, w.cout, w.height, w.width): seconds
        for w, seconds in per_convolution(ours).items()
        if w.kind in KINDS
    }
    try:
        table = Latency(known, split(device.simd_lanes))
    except ZooError as error:
        raise ZooError(f"{device.name}: {error}; `zoo tune --device {device.name}` measures") from error
    off = table.errors()
    console.say(
        f"[dim]{device.name} on {processor}: {len(known)} layers known; estimates between them are off by {np.median(off):.0%} "
        f"(median, each from all others), {np.quantile(off, 0.9):.0%} at the 90th percentile[/dim]"
    )
    return table


def split(lanes: int) -> Split:
    """How kernels with vectors of this many lanes run a layer: channels past the last full vector by themselves, where they
    are at most half of one."""
    from dataclasses import astuple

    from ..kernels.ir.rewrite.halve_last_block import halved
    from ..kernels.ir.workload import Workload
    from ..model.walk import Shape

    def parts(layer: Shape) -> list[Shape]:
        return [Shape(*astuple(workload)[: len(layer)]) for workload in halved(Workload(*layer), lanes)]

    return parts
