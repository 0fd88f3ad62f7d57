"""Nearest doubling, and an addition after it, may wait until the one layer that reads the result stages its input."""

from dataclasses import replace

from ..plan import Plan, Step

TAILS = (("double", "add"), ("double",))


def double_on_read(plan: Plan) -> Plan:
    """D(double(x) + s) = D'(x, s), where D' reads x at half its row and column and adds s as it stages its input.

    Condition: the doubling (and the addition after it) is the last thing its step does, and the only reader is a depthwise
    layer that does nothing to its input yet. The same numbers are added in the same order, so the results are equal; but
    the doubled tensor, four times as large, is never written. In integers a sum that is cut at 255 twice is cut once.
    """
    steps, parameters = list(plan.steps), dict(plan.parameters)
    for i, before in enumerate(steps):
        readers = plan.readers(before.result)
        tail = next((t for t in TAILS if before.workload.epilogue[-len(t) :] == t), None)
        if tail and len(readers) == 1 and _waits(readers[0], before):
            j = steps.index(readers[0])
            kept = before.workload.epilogue[: -len(tail)]
            steps[i] = replace(before, workload=replace(before.workload, epilogue=kept), skip=None)
            workload = replace(readers[0].workload, prologue=tail)
            steps[j] = replace(readers[0], workload=workload, skip=before.skip)
            if (scale := parameters.pop(f"{before.name}.skip_multiplier", None)) is not None:
                parameters[f"{readers[0].name}.skip_multiplier"] = scale
    return replace(plan, steps=tuple(steps), parameters=parameters)


def _waits(step: Step, before: Step) -> bool:
    return (
        step.workload.kind == "depthwise"
        and step.source == before.result
        and not step.workload.prologue
        and not step.skip
    )
