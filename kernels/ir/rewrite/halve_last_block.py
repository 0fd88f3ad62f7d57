"""A layer whose last block of channels is at most half full may be two: the full blocks, and half a block."""

from __future__ import annotations

from dataclasses import replace

from ...layout import halves
from ..plan import Plan, Step
from ..workload import Workload

KINDS = ("stem", "depthwise", "pointwise", "conv")


def halve_last_block(plan: Plan, lanes: int) -> Plan:
    """L(x) = (F(x), H(x)) one after the other along the channels: F makes the first channels of L, H the last ones.

    Condition: no channel of the result hangs on another, which is so for every convolution with operations on single
    elements around it; and what goes into a channel one to one, a depthwise layer's input and what is added, comes in the
    same two parts. Every number is computed from the same numbers in the same order, so the results are equal. Done where
    H has at most half as many channels as there are lanes: there half a vector is enough for it. Not done for integers, whose
    instructions multiply whole blocks.
    """
    parts = {part for parts in plan.concat.values() for part in parts}
    steps: list[Step] = []
    parameters, concat, shapes = dict(plan.parameters), dict(plan.concat), plan.shapes()
    for step in plan.steps:
        w = step.workload
        full = w.cout // lanes * lanes
        one_to_one = [name for name in (step.source if w.kind == "depthwise" else None, step.skip) if name]
        fits = all(name in concat and shapes[concat[name][0]][0] == full for name in one_to_one)
        split = halved(w, lanes)
        if step.result in parts or step.normalised or not fits or len(split) == 1:
            steps.append(step)
            continue
        weight, bias = (parameters.pop(f"{step.name}.{key}") for key in ("weight", "bias"))
        concat[step.result] = (f"{step.name}.full", f"{step.name}.half")
        for i, (name, part, channels) in enumerate(
            zip(concat[step.result], split, (slice(full), slice(full, None)), strict=True)
        ):
            parameters |= {f"{name}.weight": weight[channels], f"{name}.bias": bias[channels]}
            source = concat[step.source][i] if step.source in one_to_one else step.source
            steps.append(Step(name, part, source, concat[step.skip][i] if step.skip else None))
            shapes[name] = (part.cout, *part.out_sides)
    return replace(plan, steps=tuple(steps), parameters=parameters, concat=concat)


def halved(w: Workload, lanes: int) -> tuple[Workload, ...]:
    """The full blocks of a layer and its half one, where it has both; else the layer as it is."""
    if w.kind not in KINDS or w.dtype.quantized or not halves(w.cout, lanes):
        return (w,)
    full = w.cout // lanes * lanes
    own = w.kind == "depthwise"
    return tuple(replace(w, cout=count, cin=count if own else w.cin) for count in (full, w.cout - full))
