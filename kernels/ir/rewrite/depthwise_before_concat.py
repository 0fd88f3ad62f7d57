"""A depthwise layer over tensors concatenated along the channels may run over each of them before."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate, pairwise

from ..plan import Plan, Step


def depthwise_before_concat(plan: Plan) -> Plan:
    """D([x, y]) = [D_x(x), D_y(y)] for D depthwise, D_x and D_y its filters for the channels of x and of y.

    Condition: the concatenation is read by D alone, which has no prologue and no skip, and whose result is not itself
    concatenated with others. A channel of D's result depends on that channel of its input alone, so the results are equal.
    What is concatenated afterwards is D's result, and every part has a reader of its own, which may for instance double
    it on reading.
    """
    steps, concat, parameters = list(plan.steps), dict(plan.concat), dict(plan.parameters)
    for name, parts in plan.concat.items():
        readers = plan.readers(name)
        if len(readers) != 1 or not _splits(readers[0], name) or _concatenated(readers[0], concat):
            continue
        step, at = readers[0], steps.index(readers[0])
        ends = [0, *accumulate(plan.shapes()[part][0] for part in parts)]
        own = {key: parameters.pop(key) for key in plan.parameters if key.rpartition(".")[0] == step.name}
        made = []
        for i, (part, (first, end)) in enumerate(zip(parts, pairwise(ends), strict=True)):
            workload = replace(step.workload, cin=end - first, cout=end - first)
            made.append(replace(step, name=f"{step.name}.{i}", workload=workload, source=part))
            parameters |= {f"{step.name}.{i}.{key.rpartition('.')[2]}": value[first:end] for key, value in own.items()}
        steps[at : at + 1] = made
        del concat[name]
        concat[step.result] = tuple(piece.result for piece in made)
    return replace(plan, steps=tuple(steps), concat=concat, parameters=parameters)


def _concatenated(step: Step, concat: Mapping[str, tuple[str, ...]]) -> bool:
    return any(step.result in parts for parts in concat.values())


def _splits(step: Step, concat: str) -> bool:
    w = step.workload
    return w.kind == "depthwise" and step.source == concat and not (step.skip or w.prologue)
