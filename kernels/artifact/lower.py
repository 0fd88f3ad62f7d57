"""Plan + device -> program: knobs chosen, parameters packed, every tensor given its place."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from numpy.typing import NDArray

from ..device import Device
from ..dtype import F32, DType
from ..errors import KernelError
from ..ir.memory import LINE, arrange
from ..ir.plan import Plan
from ..ir.program import Call, Operand, Program, symbol
from ..ir.workload import Workload
from ..layout import blocked_shape, pack, pack_bias
from ..records import Record
from ..targets import target_of
from ..targets.base import Target

QUANTIZED = ("multiplier", "skip_multiplier")


def lower(plan: Plan, device: Device, records: Mapping[Workload, Record]) -> Program:
    """Choose knobs (the records', else the default), pack the parameters, give every tensor its place."""
    lanes, dtype, target = device.simd_lanes, plan.dtype, target_of(device)
    shapes = {name: blocked_shape(shape, lanes) for name, shape in plan.shapes().items()}
    sizes = {n: dtype.bytes * prod(s) for n, s in shapes.items() if n not in (plan.input, plan.output)}
    inner = [part for parts in plan.concat.values() for part in parts]
    offsets, arena = arrange({n: size for n, size in sizes.items() if n not in inner}, plan.lifetimes())
    for name, parts in plan.concat.items():
        offset = offsets[name]
        for part in parts:
            if part != parts[-1] and (channels := plan.shapes()[part][0]) % lanes:
                raise KernelError(
                    f"{part}: {channels} channels, after which more are concatenated; use a multiple of {lanes}"
                )
            offsets[part] = offset
            offset += sizes[part]

    packed = bytearray()

    def parameter(values: NDArray[Any], of: DType) -> Operand:
        operand = Operand("parameters", len(packed), values.shape, of)
        packed.extend(values.astype(of.numpy).tobytes())
        packed.extend(bytes(-len(packed) % LINE))
        return operand

    def tensor(name: str) -> Operand:
        if name == plan.input:
            return Operand("image", 0, plan.shapes()[name], F32)
        if name == plan.output:
            return Operand("depth", 0, plan.shapes()[name], F32)
        return Operand("arena", offsets[name], shapes[name], dtype)

    calls = []
    for step in plan.steps:
        own: dict[str, Any] = {key: plan.parameters.get(f"{step.name}.{key}") for key in ("weight", "bias", *QUANTIZED)}
        learnt: list[Operand] = []
        skip = [tensor(step.skip)] if step.skip else []
        if own["weight"] is not None:
            learnt.append(parameter(pack(step.workload, own["weight"], lanes), dtype.weight))
            bias = own["bias"] + target.offset(step.workload) * own["weight"].sum((1, 2, 3), own["bias"].dtype)
            learnt.append(parameter(pack_bias(step.workload, bias, lanes), dtype.accumulator))
        if own["multiplier"] is not None:
            learnt.append(parameter(pack_bias(step.workload, own["multiplier"], lanes), F32))
        if own["skip_multiplier"] is not None:
            skip.append(parameter(own["skip_multiplier"], F32))
        operands = (tensor(step.source), *learnt, *skip, tensor(step.result))
        calls.append(Call(step, symbol(step.workload), operands))
    known = {w: record for w in plan.workloads if (record := _record(w, target, records))}
    knobs = {w: known[w].knobs if w in known else target.default(w) for w in plan.workloads}
    provenance = {w: known[w].provenance if w in known else "default" for w in plan.workloads}
    most = max(target.workspace(w, knobs[w]) for w in plan.workloads)
    return Program(plan, device, knobs, provenance, tuple(calls), bytes(packed), arena, most)


def _record(w: Workload, target: Target, records: Mapping[Workload, Record]) -> Record | None:
    """What is known of a workload or, failing that, of its convolution alone."""
    found = records.get(w) or records.get(w.bare)
    try:
        if found:
            target.check(w, found.knobs)
    except KernelError:
        return None
    return found
