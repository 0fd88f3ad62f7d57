"""Plan + device -> artifact: a folder with a library, its parameters, a C header, a Python twin and a manifest."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import tempfile
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from ..device import Device
from ..dtype import F32
from ..errors import KernelError
from ..extras import require
from ..ir.plan import Plan
from ..ir.rewrite import rewrite
from ..runtime.fastdepth import MANIFEST, PARAMETERS
from ..selection import Choice, choices, processor_of
from ..targets import files, target_of
from ..targets.base import OnProgress
from ..targets.tables import description
from .lower import lower
from .manifest import manifest
from .store import check, rounded, stored

FILES = (MANIFEST, PARAMETERS, *files())  # of an artifact of any kind, so that one takes the place of another


def build(
    plan: Plan,
    device: Device,
    folder: Path,
    model: dict[str, Any],
    on_progress: OnProgress = lambda *_: None,
    processor: str | None = None,
    store: str = F32.name,
) -> list[Choice | None]:
    """Compile a traced plan for `device` into `folder`, which appears whole or not at all; where each step's knobs are from,
    None for the default.

    They are to be fast on `processor`, by default the device's own or this machine's (`selection.processor_of`). `model` goes
    into the manifest: name, weights_sha256, status. `store`: how parameters are stored, f32 or f16. An existing artifact
    there is replaced; what else lies in its folder stays.
    """
    folder = folder.resolve()
    if folder.exists() and not written(folder / MANIFEST) and (not folder.is_dir() or any(folder.iterdir())):
        raise KernelError(f"{folder}: exists and is not an artifact; choose another place")
    check(store, device)
    require("tvm", "ziglang")
    macs, plan = plan.macs, rounded(rewrite(plan, device.simd_lanes), store)
    chosen = choices(device, processor)
    program = lower(plan, device, {w: choice.record for w, choice in chosen.items()})
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        work, made = Path(scratch) / "work", Path(scratch) / "made"
        work.mkdir()
        made.mkdir()
        facts = description(program, model, macs)
        kernels = target_of(device).package(program, facts, work, made, on_progress)
        (made / PARAMETERS).write_bytes(stored(program.parameters, store))
        said = manifest(program, facts, kernels, store, made) | {"processor": processor or processor_of(device)}
        (made / MANIFEST).write_text(json.dumps(said, indent=1) + "\n")
        if folder.exists():
            others = partial(_except_ours, str(folder))
            shutil.copytree(folder, made, symlinks=True, ignore=others, dirs_exist_ok=True)
        for turn in count():  # another writer may put its own there in between
            with suppress(FileNotFoundError):
                folder.rename(work / f"before-{turn}")
            try:
                made.rename(folder)
                break
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
        on_progress("done", len(plan.workloads) + 1, len(plan.workloads) + 1)
    used = [step.workload for step in plan.steps]
    return [None if program.provenance[w] == "default" else chosen.get(w) or chosen.get(w.bare) for w in used]


def written(path: Path) -> bool:
    """Whether a file is one of an artifact, and as it was made: what the manifest beside it says."""
    try:
        said = json.loads((path.parent / MANIFEST).read_text())
        if not str(said["format"]).startswith("fastdepth-artifact/"):
            return False
        return path.name == MANIFEST or (
            said["files"][path.name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _except_ours(folder: str, at: str, names: list[str]) -> list[str]:
    return [name for name in names if at == folder and name in FILES]
