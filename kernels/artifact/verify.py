"""Whether an artifact computes what the network computes, and if not, the first step where they part."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..device import Device
from ..errors import KernelError
from ..ir.plan import Array, Plan
from ..ir.reference import interpret
from ..ir.rewrite import rewrite
from ..runtime.fastdepth import FastDepth
from ..selection import tuned
from ..targets import target_of
from ..targets.base import OnProgress, Run
from .lower import lower
from .store import rounded

RUNS = 15


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
        if not error <= plan.dtype.tolerance:
            raise KernelError(f"{folder}: {_first_divergence(compiled, plan, image)}")
        pairs = [(_milliseconds(eager, image), _milliseconds(compiled, image)) for _ in range(RUNS)]
    return Report(error, *(float(np.median(times)) for times in zip(*pairs, strict=True)))


def verify_elsewhere(
    folder: Path, plan: Plan, device: Device, eager: Run, on_progress: OnProgress, processor: str | None = None
) -> tuple[float, str] | None:
    """(the same difference, how it was found) for an artifact that this machine cannot run; None where that needs something
    that is not here. Says nothing of speed. Raises KernelError if it fails or differs."""
    program = lower(rewrite(plan, device.simd_lanes), device, tuned(device))
    pixels = np.random.default_rng(0).integers(0, 256, plan.shapes()[plan.input]).astype(np.uint8)
    image: Array = np.divide(pixels, 255, dtype=np.float32)
    found = target_of(device).run_elsewhere(folder, program, image, on_progress)
    if found is None:
        return None
    depth, how = found
    error = float(np.abs(depth - eager(image)).max())
    if not error <= plan.dtype.tolerance:
        raise KernelError(f"{folder}: compiled for {device.name} and run here ({how}), it differs by {error:.1e} m")
    return error, how


def reference(plan: Plan, device: Device, store: str) -> Run:
    """What a traced plan computes with its parameters as they are after being stored, in numpy."""
    made = rounded(rewrite(plan, device.simd_lanes), store)
    return lambda image: interpret(made, image)[made.output][0]


def _milliseconds(run: Run, image: Array) -> float:
    began = time.perf_counter()
    run(image)
    return (time.perf_counter() - began) * 1e3


def _first_divergence(compiled: FastDepth, plan: Plan, image: Array) -> str:
    plan = rewrite(plan, compiled.manifest["simd_lanes"])
    expected = interpret(plan, image)
    _, found = compiled.observe(image)
    for step in plan.steps:
        worst = float(np.abs(found[step.result] - expected[step.result]).max())
        if not worst <= plan.dtype.tolerance:
            return f"compiled and eager part at {step.name} ({step.workload}) by {worst:.1e}"
    return "compiled and eager differ, though every step agrees with its reference"
