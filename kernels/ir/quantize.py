"""A plan of real numbers -> the same network in integers: uint8 results, int8 weights, int32 sums.

A real number is its integer times a scale: one a tensor of results, one a channel of weights, all zero points 0 (Jacob et al.
2018, arXiv:1712.05877). No hidden result is negative, so uint8 holds it, and its clamp at 255 is a ReLU6 too where 255
stands for at most 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtype import INT8
from ..errors import KernelError
from .plan import Plan, Step

TOP = 255  # the largest uint8
CEILING = 6.0  # of a ReLU6
IMAGE = float(np.float32(1 / TOP))  # scale of the image: its 255ths
HIDDEN = {("relu",), ("relu", "double"), ("relu", "add"), ("relu", "double", "add")}
HEAD = {("relu",), ("relu", "double")}


@dataclass(frozen=True)
class Integers:
    """One layer, quantised."""

    weight: NDArray[np.int8]  # (cout, cin / groups, kernel_size, kernel_size)
    bias: NDArray[np.int32]  # (cout,), in steps of input_scale * weight_scale
    weight_scale: NDArray[np.float32]  # (cout,)
    input_scale: float  # of what the layer reads


def quantize(plan: Plan, layers: Mapping[str, Integers]) -> Plan:
    """The plan in int8, with the layers' numbers by the names of its steps; its own parameters do not matter.

    A step's parameters become `.weight` int8, `.bias` int32, `.multiplier` float32 (cout), which takes a sum to the scale
    that the result's reader wants, and where it adds a skip `.skip_multiplier` float32 (1), which takes that there. The
    head's results are metres. Raises KernelError where the network has what integers are not defined for here.
    """
    scales = {step.source: layers[step.name].input_scale for step in plan.steps} | {plan.output: 1.0}
    if scales.get(plan.input) != IMAGE:
        raise KernelError(f"the scale of an image is 1/{TOP}, not {scales.get(plan.input)}")
    parameters: dict[str, NDArray[Any]] = {}
    steps = []
    for step in plan.steps:
        quantizable(plan, step)
        own, y = layers[step.name], scales[step.result]
        if "relu6" in step.workload.epilogue and TOP * y > CEILING * (1 + 1e-6):
            raise KernelError(f"{step.name}: a scale of {y:.4g} reaches beyond the {CEILING:g} of its ReLU6")
        parameters |= {f"{step.name}.weight": own.weight, f"{step.name}.bias": own.bias}
        parameters[f"{step.name}.multiplier"] = (own.input_scale * own.weight_scale.astype(np.float64) / y).astype(
            np.float32
        )
        if step.skip:
            parameters[f"{step.name}.skip_multiplier"] = np.array([scales[step.skip] / y], np.float32)
        epilogue = tuple("relu" if name == "relu6" else name for name in step.workload.epilogue)
        steps.append(replace(step, workload=replace(step.workload, epilogue=epilogue, dtype=INT8)))
    return replace(plan, steps=tuple(steps), parameters=parameters)


def quantizable(plan: Plan, step: Step) -> None:
    """Raise KernelError, naming what, where a step does something that integers are not defined for here."""
    w = step.workload
    plain = tuple("relu" if name == "relu6" else name for name in w.epilogue)
    if step.normalised:
        raise KernelError(f"{step.name}: fold its normalisation first")
    if w.kind == "pool" or w.prologue or plan.concat:
        raise KernelError(f"{step.name}: int8 is for networks without pools, concatenations and normalised images")
    if plain not in (HEAD if w.kind == "head" else HIDDEN):
        raise KernelError(
            f"{step.name}: int8 is for results that are not negative: a ReLU before anything is added, not {w.epilogue}"
        )


def requantized(sums: NDArray[np.int32], multiplier: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums (C, H, W) -> whole numbers 0..255 at the result's scale, as float32: one product, rounded half to even."""
    return np.asarray(np.rint(np.clip(sums.astype(np.float32) * multiplier[:, None, None], 0, TOP)))


def add_skip(y: NDArray[Any], skip: NDArray[np.uint8], multiplier: NDArray[np.float32]) -> NDArray[np.float32]:
    """Two terms in whole numbers -> their sum at y's scale, at most 255."""
    return np.asarray(np.minimum(y.astype(np.float32) + np.rint(skip.astype(np.float32) * multiplier), np.float32(TOP)))
