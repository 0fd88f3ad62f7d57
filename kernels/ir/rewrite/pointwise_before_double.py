"""A pointwise layer after nearest doubling may run before it, at a quarter of the work."""

from dataclasses import replace

from ..plan import Plan, Step

ELEMENTWISE = ("relu", "relu6")


def pointwise_before_double(plan: Plan) -> Plan:
    """P(double(x)) = double(P(x)) for P a 1x1 convolution of stride 1 followed by operations on single elements.

    Condition: the doubling is the last thing its step does, and P's step is its only reader. Then every element of
    P(double(x)) is computed from the same numbers in the same order as one element of P(x): the results are equal.
    """
    steps = list(plan.steps)
    for i, before in enumerate(steps):
        readers = plan.readers(before.result)
        if len(readers) == 1 and before.workload.epilogue[-1:] == ("double",) and _pointwise(readers[0], before):
            j = steps.index(readers[0])
            after = readers[0].workload
            height, width = before.workload.conv_sides
            steps[i] = replace(before, workload=replace(before.workload, epilogue=before.workload.epilogue[:-1]))
            moved = replace(after, height=height, width=width, epilogue=(*after.epilogue, "double"))
            steps[j] = replace(readers[0], workload=moved)
    return replace(plan, steps=tuple(steps))


def _pointwise(step: Step, before: Step) -> bool:
    w = step.workload
    return w.kernel_size == 1 and w.stride == 1 and step.source == before.result and set(w.epilogue) <= set(ELEMENTWISE)
