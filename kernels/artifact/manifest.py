"""The manifest: what an artifact is, for what, made of what, and what its files must hold."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..ir.program import Program
from ..runtime.fastdepth import FORMAT
from ..targets import target_of
from ..targets.base import Facts
from ..targets.tables import steps

VERSIONS = ("fastdepth-zoo", "apache-tvm", "ziglang")


def manifest(program: Program, model: dict[str, Any], macs: int, kernels: Facts, made: Path) -> dict[str, Any]:
    """As plain data. `macs` are the original network's; `made` holds every other file of the artifact."""
    device, plan, shapes = program.device, program.plan, program.plan.shapes()
    return {
        "format": FORMAT,
        "model": model,
        "device": device.name,
        "kind": device.kind,
        "arch": device.arch,
        "cpu_features": list(device.cpu_features),
        "zig_target": device.zig_target,
        "simd_lanes": device.simd_lanes,
        "dtype": str(plan.dtype),
        "input": list(shapes[plan.input]),
        "output": list(shapes[plan.output][1:]),
        "unit": "metres",
        "macs": macs,
        "schedule_version": target_of(device).version,
        "gpu": asdict(device.gpu) if device.gpu else None,
        "steps": [
            step
            | {"knobs": program.knobs[call.step.workload], "provenance": program.provenance[call.step.workload]}
            | kernels.get(call.step.workload, {})
            for step, call in zip(steps(plan), program.calls, strict=True)
        ],
        "files": {
            path.name: {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in sorted(made.iterdir())
        },
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
    }
