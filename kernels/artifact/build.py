"""Plan + device -> artifact: a folder with a library, its parameters, a C header, a Python twin and a manifest."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from ..device import Device
from ..errors import KernelError
from ..extras import require
from ..ir.plan import Plan
from ..ir.rewrite import rewrite
from ..records import tuned
from ..runtime.fastdepth import MANIFEST, PARAMETERS
from ..targets import target_of
from ..targets.base import Tick
from .lower import lower
from .manifest import manifest


def build(
    plan: Plan,
    device: Device,
    folder: Path,
    model: dict[str, Any],
    tick: Tick = lambda *_: None,
) -> dict[str, int]:
    """Compile a traced plan for `device` into `folder`, which appears whole or not at all; where the layers' knobs are from.

    `model` goes into the manifest: name, weights_sha256, status. An existing artifact there is replaced.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise KernelError(f"{folder}: exists and is not an artifact; choose another place")
    require("tvm", "ziglang")
    macs, plan = plan.macs, rewrite(plan, device.simd_lanes)
    program = lower(plan, device, tuned(device))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        work, made = Path(scratch) / "work", Path(scratch) / "made"
        work.mkdir()
        made.mkdir()
        kernels = target_of(device).package(program, model["name"], work, made, tick)
        (made / PARAMETERS).write_bytes(program.parameters)
        (made / MANIFEST).write_text(json.dumps(manifest(program, model, macs, kernels, made), indent=1) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
        tick("done", len(plan.workloads) + 1, len(plan.workloads) + 1)
    return dict(Counter(program.provenance[step.workload] for step in plan.steps))
