"""The plan, interpreted plainly in numpy: what every kernel must agree with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plan import Array, Plan, Step
from .quantize import TOP, add_skip, requantized
from .workload import NORMALIZE

Real = NDArray[np.floating[Any]]


def interpret(plan: Plan, image: Array) -> dict[str, Array]:
    """Every tensor of the plan by name, (channels, height, width), for an image (3, H, W)."""
    tensors: dict[str, Any] = {plan.input: image if plan.dtype.quantized else image.astype(plan.dtype.numpy)}
    for step in plan.steps:
        tensors[step.result] = run_step(plan, step, tensors)
        for name, parts in plan.concat.items():
            if name not in tensors and tensors.keys() >= set(parts):
                tensors[name] = np.concatenate([tensors[part] for part in parts])
    return tensors


def run_step(plan: Plan, step: Step, tensors: Mapping[str, Array]) -> Array:
    """One step on the tensors it reads."""
    if step.workload.kind == "pool":
        return maximum(tensors[step.source], step.workload.kernel_size, step.workload.stride)
    if step.workload.dtype.quantized:
        return np.asarray(_run_quantized(plan, step, tensors))
    own = {key: plan.parameters[f"{step.name}.{key}"] for key in KEYS if f"{step.name}.{key}" in plan.parameters}
    column = {key: values[:, None, None] for key, values in own.items() if key != "weight"}
    y = convolve(
        elementwise(step.workload.prologue, tensors[step.source], step, tensors), own["weight"], step.workload.stride
    )
    if step.normalised:
        y = (y - column["mean"]) / np.sqrt(column["variance"]) * column["gamma"] + column["beta"]
    dtype = step.workload.dtype
    summed: Array = (y + column.get("bias", 0)).astype(dtype.accumulator.numpy)  # from here on as kernels do
    result: Array = elementwise(step.workload.epilogue, summed, step, tensors).astype(dtype.numpy)
    return result


def _run_quantized(plan: Plan, step: Step, tensors: Mapping[str, Any]) -> Any:
    """One step in integers: uint8, and metres in float32 from the head."""
    w = step.workload
    own: dict[str, Any] = {key: plan.parameters.get(f"{step.name}.{key}") for key in QUANTIZED}
    x = tensors[step.source]
    if w.kind == "stem":
        x = np.rint(np.clip(x * np.float32(TOP), 0, TOP))
    if "double" in w.prologue:
        x = x.repeat(2, 1).repeat(2, 2)
    if "add" in w.prologue:
        x = add_skip(x, tensors[step.skip or ""], own["skip_multiplier"])
    sums = convolve(x, own["weight"], w.stride).astype(np.int32) + own["bias"][:, None, None]
    if w.kind == "head":
        y = sums.astype(np.float32) * own["multiplier"]
        y = np.maximum(y, 0) if "relu" in w.epilogue else y
    else:
        y = requantized(sums, own["multiplier"])
    if "double" in w.epilogue:
        y = y.repeat(2, 1).repeat(2, 2)
    if "add" in w.epilogue:
        y = add_skip(y, tensors[step.skip or ""], own["skip_multiplier"])
    return y if w.kind == "head" else y.astype(w.dtype.numpy)


def elementwise(names: Sequence[str], y: Real, step: Step, tensors: Mapping[str, Array]) -> Real:
    """The operations of a prologue or epilogue, in order."""
    for name in names:
        if name == "relu":
            y = np.maximum(y, 0)
        elif name == "relu6":
            y = np.clip(y, 0, 6)
        elif name == "normalize":
            mean, std = NORMALIZE
            y = (y - np.float32(mean)) / np.float32(std)
        elif name == "double":
            y = y.repeat(2, 1).repeat(2, 2)
        elif step.skip is not None:
            y = y + tensors[step.skip]
    return y


def maximum(x: Array, kernel_size: int, stride: int) -> Array:
    """The largest number of every (kernel_size, kernel_size) window of (C, H, W); nothing around counts."""
    radius = kernel_size // 2
    padded = np.pad(x, ((0, 0), (radius, radius), (radius, radius)), constant_values=-np.inf)
    views = np.lib.stride_tricks.sliding_window_view(padded, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    return np.asarray(views.max((3, 4)))


QUANTIZED = ("weight", "bias", "multiplier", "skip_multiplier")
KEYS = ("weight", "bias", "gamma", "beta", "mean", "variance")


def convolve(x: Real, weight: NDArray[Any], stride: int) -> NDArray[np.float64]:
    """(C, H, W) with a weight (K, C, kernel_size, kernel_size), or (C, 1, …) for one filter per channel; zeros around, float64
    sums."""
    kernel_size = weight.shape[2]
    radius = kernel_size // 2
    padded = np.pad(x, ((0, 0), (radius, radius), (radius, radius))).astype(np.float64)
    views = np.lib.stride_tricks.sliding_window_view(padded, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    if weight.shape[1] == 1 and weight.shape[0] == x.shape[0] > 1:
        return np.asarray(np.einsum("chwij,cij->chw", views, weight[:, 0]))
    return np.asarray(np.einsum("chwij,kcij->khw", views, weight, optimize=True))
