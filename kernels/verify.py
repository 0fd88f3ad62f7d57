"""Whether an artifact computes what the network computes, and if not, the first step where they part."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import KernelError
from .plan import Array, Plan
from .reference import interpret
from .rewrite import rewrite
from .runtime.fastdepth import FastDepth

TOLERANCE = {"f32": 1e-4}  # metres
RUNS = 15
Run = Callable[[Array], Array]  # (3, H, W) in [0, 1] -> (H, W) metres


@dataclass(frozen=True)
class Report:
    """Largest absolute difference in metres, and median milliseconds of both, run in turn on one thread."""

    error: float
    eager_ms: float
    compiled_ms: float


def verify(folder: Path, plan: Plan, eager: Run) -> Report:
    """Run both on one random image. Raises KernelError naming the first step that differs where the depths do."""
    with FastDepth(folder, 1) as compiled:
        image = np.random.default_rng(0).random((3, compiled.height, compiled.width), np.float32)
        error = float(np.abs(compiled(image) - eager(image)).max())
        if not error <= TOLERANCE["f32"]:
            raise KernelError(f"{folder}: {_first_divergence(compiled, plan, image)}")
        pairs = [(_milliseconds(eager, image), _milliseconds(compiled, image)) for _ in range(RUNS)]
    return Report(error, *(float(np.median(times)) for times in zip(*pairs, strict=True)))


def _milliseconds(run: Run, image: Array) -> float:
    began = time.perf_counter()
    run(image)
    return (time.perf_counter() - began) * 1e3


def _first_divergence(compiled: FastDepth, plan: Plan, image: Array) -> str:
    plan = rewrite(plan)
    expected = interpret(plan, image)
    _, found = compiled.observe(image)
    for step in plan.steps:
        worst = float(np.abs(found[step.result] - expected[step.result]).max())
        if not worst <= TOLERANCE["f32"]:
            return f"compiled and eager part at {step.name} ({step.workload}) by {worst:.1e}"
    return "compiled and eager differ, though every step agrees with its reference"
