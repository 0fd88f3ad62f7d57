"""A layer whose last block of channels is at most half full may be two: the full blocks, and half a block."""

from __future__ import annotations

from dataclasses import replace

from ...layout import halves
from ..plan import Plan, Step

KINDS = ("stem", "depthwise", "pointwise", "conv")


def halve_last_block(plan: Plan, lanes: int) -> Plan:
    """L(x) = (F(x), H(x)) one after the other along the channels: F makes the first channels of L, H the last ones.

    Condition: no channel of the result hangs on another, which is so for every convolution with operations on single
    elements around it; and what goes into a channel one to one, a depthwise layer's input and what is added, comes in the
    same two parts. Every number is computed from the same numbers in the same order, so the results are equal. Done where
    H has at most half as many channels as there are lanes: there half a vector is enough for it.
    """
    parts = {part for parts in plan.concat.values() for part in parts}
    steps: list[Step] = []
    parameters, concat, shapes = dict(plan.parameters), dict(plan.concat), plan.shapes()
    for step in plan.steps:
        w = step.workload
        full = w.cout // lanes * lanes
        one_to_one = [name for name in (step.source if w.kind == "depthwise" else None, step.skip) if name]
        fits = all(name in concat and shapes[concat[name][0]][0] == full for name in one_to_one)
        if step.result in parts or not (fits and _half_full(step, lanes)):
            steps.append(step)
            continue
        weight, bias = (parameters.pop(f"{step.name}.{key}") for key in ("weight", "bias"))
        concat[step.result] = (f"{step.name}.full", f"{step.name}.half")
        for i, (name, channels) in enumerate(zip(concat[step.result], (slice(full), slice(full, None)), strict=True)):
            parameters |= {f"{name}.weight": weight[channels], f"{name}.bias": bias[channels]}
            count = len(bias[channels])
            part = replace(w, cout=count, cin=count if w.kind == "depthwise" else w.cin)
            source = concat[step.source][i] if step.source in one_to_one else step.source
            steps.append(Step(name, part, source, concat[step.skip][i] if step.skip else None))
            shapes[name] = (count, *part.out_sides)
    return replace(plan, steps=tuple(steps), parameters=parameters, concat=concat)


def _half_full(step: Step, lanes: int) -> bool:
    w = step.workload
    return w.kind in KINDS and not step.normalised and halves(w.cout, lanes)
