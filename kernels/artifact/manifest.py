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
from ..targets.base import Description, Facts

VERSIONS = ("fastdepth-zoo", "apache-tvm", "ziglang")


def manifest(program: Program, facts: Description, kernels: Facts, store: str, made: Path) -> dict[str, Any]:
    """As plain data: what the library says of itself (`facts`) and more; `store`: how the parameters are stored; `made`
    holds every other file of the artifact."""
    device = program.device
    return {
        "format": FORMAT,
        **facts,
        "kind": device.kind,
        "cpu_features": list(device.cpu_features),
        "unit": "metres",
        "store": store,
        "schedule_version": target_of(device).version,
        "gpu": asdict(device.gpu) if device.gpu else None,
        "steps": [
            step
            | {"knobs": program.knobs[call.step.workload], "provenance": program.provenance[call.step.workload]}
            | kernels.get(call.step.workload, {})
            for step, call in zip(facts["steps"], program.calls, strict=True)
        ],
        "files": {
            path.name: {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in sorted(made.iterdir())
        },
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
    }
