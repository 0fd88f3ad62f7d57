"""Kinds of machines, one folder each; and the one place where a workload becomes a scheduled kernel."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import Knobs, Target

if TYPE_CHECKING:
    from ..device import Device
    from ..ir.workload import Workload

KINDS = tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py")))


def files() -> tuple[str, ...]:
    """Names of everything that a target of any kind packages."""
    return tuple(dict.fromkeys(name for kind in KINDS for name in _class(kind).files()))


def target_of(device: Device) -> Target:
    """What makes kernels for a device. Raises ValueError for a kind that does not exist."""
    if device.kind not in KINDS:
        raise ValueError(f"kind {device.kind!r}: there are {' and '.join(KINDS)}")
    return _class(device.kind)(device)


def _class(kind: str) -> type[Target]:
    made: type[Target] = import_module(f".{kind}", __name__).TARGET
    return made


def scheduled(w: Workload, device: Device, knobs: Knobs, symbol: str) -> Any:
    """A workload's computation, scheduled for a device: `.mod` is a module with one function of that name, `.trace` every
    verb applied. Raises KernelError where the setting is not legal."""
    from tvm import IRModule, te
    from tvm.s_tir import Schedule

    from ..algorithm import compute

    target = target_of(device)
    target.check(w, knobs)
    computation = te.create_prim_func(compute(w, device.simd_lanes))
    sch = Schedule(IRModule({"main": computation.with_attr("global_symbol", symbol)}))
    target.schedule(sch, w, knobs)
    return sch
