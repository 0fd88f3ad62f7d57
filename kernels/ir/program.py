"""A program: a plan made ready for one device, every kernel with its knobs, every tensor with its place. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..device import Device
from ..dtype import DType
from .plan import Plan, Step
from .workload import Workload


@dataclass(frozen=True)
class Operand:
    """A tensor as a kernel sees it: where it lives, its offset in bytes, its shape in the kernel's layout."""

    place: str  # arena | parameters | image | depth
    offset: int
    shape: tuple[int, ...]
    dtype: DType

    @property
    def bytes(self) -> int:
        """Bytes that it takes."""
        return self.dtype.bytes * prod(self.shape)


@dataclass(frozen=True)
class Call:
    """One step, ready to run: a kernel's symbol and its operands x, (k, b, (m)), (skip, (r)), y: m and r where quantised."""

    step: Step
    symbol: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Program:
    """A whole network for one device."""

    plan: Plan
    device: Device
    knobs: dict[Workload, dict[str, int]]
    provenance: dict[Workload, str]  # of the knobs: measured | imported | predicted | default
    calls: tuple[Call, ...]
    parameters: bytes
    arena_bytes: int
    workspace_bytes: int  # the most one task allocates while it runs

    def bytes_of(self, place: str) -> int:
        """Bytes of the image or of the depth."""
        return next(o.bytes for call in self.calls for o in call.operands if o.place == place)


def symbol(w: Workload) -> str:
    """The name of a workload's kernel in the library."""
    return "fd_" + "".join(c if c.isalnum() else "_" for c in str(w))
