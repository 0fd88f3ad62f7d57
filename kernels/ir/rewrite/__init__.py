"""Rewrites: functions Plan -> Plan. Each states a theorem and the condition under which it holds."""

from ..plan import Plan
from .depthwise_before_concat import depthwise_before_concat
from .double_on_read import double_on_read
from .fold_norm import fold_norm
from .halve_last_block import halve_last_block
from .pointwise_before_double import pointwise_before_double

ALL = (fold_norm, pointwise_before_double, depthwise_before_concat, double_on_read)


def rewrite(plan: Plan, lanes: int) -> Plan:
    """Every rewrite, in order, for vectors of that many lanes."""
    for theorem in ALL:
        plan = theorem(plan)
    return halve_last_block(plan, lanes)
