"""How an artifact's parameters are stored: as they are computed with, or rounded to half the bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..device import Device
from ..dtype import F32
from ..errors import KernelError
from ..ir.plan import Plan
from ..targets import target_of


def check(store: str, device: Device) -> None:
    """Raise KernelError unless what opens a device's artifacts can read parameters that are stored so."""
    if store not in (stores := target_of(device).stores):
        raise KernelError(f"--store {store}: for {device.name} there is {' and '.join(stores)}")


def rounded(plan: Plan, store: str) -> Plan:
    """A rewritten plan with the parameters that it has after being stored. Raises KernelError where one is too large."""
    if store == F32.name:
        return plan
    if plan.dtype != F32:
        raise KernelError(f"--store {store}: parameters in {plan.dtype} are small as they are; leave it out")
    return replace(plan, parameters={name: _half(name, values) for name, values in plan.parameters.items()})


def _half(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
        raise KernelError(f"{name}: its largest value does not fit float16; use --store f32")
    return values.astype(np.float16).astype(values.dtype)


def stored(parameters: bytes, store: str) -> bytes:
    """The content of the file, of float32 parameters that rounding left as they are."""
    return parameters if store == F32.name else np.frombuffer(parameters, F32.numpy).astype("<f2").tobytes()
