"""Plan + device -> everything the library is made of: kernels with their knobs, packed parameters, addresses. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from numpy.typing import NDArray

from ..device import Device
from ..dtype import DType
from ..errors import KernelError
from ..ir.memory import LINE, arrange
from ..ir.plan import Plan, Step
from ..ir.workload import Workload
from ..layout import blocked_shape, pack, pack_bias
from ..records import Record
from ..targets.cpu.space import check, default, staged


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
    """One step, ready to run: a kernel's symbol and its operands x, (k, b), (skip), y."""

    step: Step
    symbol: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Program:
    """A whole network for one device."""

    plan: Plan
    device: Device
    knobs: dict[Workload, dict[str, int]]
    sources: dict[Workload, str]  # where the knobs are from: measured | imported | predicted | default
    calls: tuple[Call, ...]
    parameters: bytes
    arena_bytes: int
    workspace_bytes: int  # the most one task allocates while it runs


def lower(plan: Plan, device: Device, records: Mapping[Workload, Record]) -> Program:
    """Choose knobs (the records', else the default), pack the parameters, give every tensor its place."""
    lanes, dtype = device.lanes, plan.dtype
    shapes = {name: blocked_shape(shape, lanes) for name, shape in plan.shapes().items()}
    sizes = {n: dtype.bytes * prod(s) for n, s in shapes.items() if n not in (plan.input, plan.output)}
    parts = [part for join in plan.joins.values() for part in join]
    offsets, arena = arrange({n: size for n, size in sizes.items() if n not in parts}, plan.lifetimes())
    for name, join in plan.joins.items():
        offset = offsets[name]
        for part in join:
            if part != join[-1] and (channels := plan.shapes()[part][0]) % lanes:
                raise KernelError(
                    f"{part}: {channels} channels, after which more are concatenated; use a multiple of {lanes}"
                )
            offsets[part] = offset
            offset += sizes[part]

    packed = bytearray()

    def parameter(values: NDArray[Any]) -> Operand:
        operand = Operand("parameters", len(packed), values.shape, dtype)
        packed.extend(values.astype(dtype.numpy).tobytes())
        packed.extend(bytes(-len(packed) % LINE))
        return operand

    def tensor(name: str) -> Operand:
        if name == plan.input:
            return Operand("image", 0, plan.shapes()[name], dtype)
        if name == plan.output:
            return Operand("depth", 0, plan.shapes()[name], dtype)
        return Operand("arena", offsets[name], shapes[name], dtype)

    calls = []
    for step in plan.steps:
        learnt = []
        if step.workload.kind != "pool":
            weight = pack(step.workload, plan.parameters[f"{step.name}.weight"], lanes)
            bias = pack_bias(step.workload, plan.parameters[f"{step.name}.bias"], lanes)
            learnt = [parameter(weight), parameter(bias)]
        skip = [tensor(step.skip)] if step.skip else []
        operands = (tensor(step.source), *learnt, *skip, tensor(step.result))
        calls.append(Call(step, symbol(step.workload), operands))
    known = {w: record for w in plan.workloads if (record := _record(w, device, records))}
    knobs = {w: known[w].knobs if w in known else default(w, device) for w in plan.workloads}
    sources = {w: known[w].source if w in known else "default" for w in plan.workloads}
    most = max(workspace(w, knobs[w], device) for w in plan.workloads)
    return Program(plan, device, knobs, sources, tuple(calls), bytes(packed), arena, most)


def _record(w: Workload, device: Device, records: Mapping[Workload, Record]) -> Record | None:
    """What is known of a workload or, failing that, of its convolution alone."""
    found = records.get(w) or records.get(w.bare)
    try:
        if found:
            check(w, device, found.knobs)
    except KernelError:
        return None
    return found


def symbol(w: Workload) -> str:
    """The name of a workload's kernel in the library."""
    return "fd_" + "".join(c if c.isalnum() else "_" for c in str(w))


def workspace(w: Workload, knobs: dict[str, int], device: Device) -> int:
    """Bytes that one task allocates: staged input and accumulators, each rounded up to lines.

    The accumulators usually live in registers.
    """
    if device.gpu:
        return 0
    tile = max(knobs["cols"], 1) * knobs.get("rows", 1) * knobs.get("blocks", 1) * device.lanes
    return staged(w, knobs.get("strip", 1), device) + 2 * w.dtype.bytes * tile + 4 * LINE
