"""What a machine can do at most: the yardstick for every kernel."""

from __future__ import annotations

from dataclasses import dataclass

from ..device import Device


@dataclass(frozen=True)
class Peak:
    """float32 multiply-accumulates in registers, and bytes copied through memory, with this number of threads."""

    threads: int
    gmacs: float  # 1e9 multiply-accumulates per second
    gbytes: float  # 1e9 bytes per second, read and written


def peak(device: Device, threads: int) -> Peak:
    """Measure this machine as a device of that kind. Raises KernelError."""
    from ..targets import target_of

    return target_of(device).peak(threads)
