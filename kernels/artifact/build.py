"""Plan + device -> artifact: a folder with a library, its parameters, a C header, a Python twin and a manifest."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..device import Device
from ..errors import KernelError
from ..extras import require
from ..ir.plan import Plan
from ..ir.rewrite import rewrite
from ..ir.workload import Workload
from ..records import tuned
from ..runtime.fastdepth import FORMAT, LIBRARY, MANIFEST, PARAMETERS
from ..targets.cpu.emit import network_c, steps
from ..targets.cpu.space import VERSION
from ..targets.cuda import emit as source_cuda
from ..targets.cuda import ptx
from .lower import Program, lower, symbol

RUNTIME = Path(__file__).parent.parent / "runtime"
TARGETS = Path(__file__).parent.parent / "targets"
PROGRAM = "fastdepth"
EXPORTS = "{ global: fastdepth_*; local: *; };\n"
Tick = Callable[[str, int, int], None]  # (what is being done, parts done, parts in all)


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
    original, plan = plan, rewrite(plan, device.lanes)
    program = lower(plan, device, tuned(device))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        work, made = Path(scratch) / "work", Path(scratch) / "made"
        work.mkdir()
        made.mkdir()
        total = len(plan.workloads) + 1
        sources, kernels = (_gpu_sources if device.gpu else _cpu_sources)(program, model["name"], work, tick)
        tick("linking", total - 1, total)
        _link(program, sources, work, made)
        (made / PARAMETERS).write_bytes(program.parameters)
        for name in ("fastdepth.h", "fastdepth.py", *(["fastdepth_cuda.h"] if device.gpu else [])):
            shutil.copyfile(RUNTIME / name, made / name)
        (made / MANIFEST).write_text(
            json.dumps(_manifest(program, model, original.macs, kernels, made), indent=1) + "\n"
        )
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
        tick("done", total, total)
    return dict(Counter(program.sources[step.workload] for step in plan.steps))


def compile_kernel(workload: Workload, device: Device, knobs: dict[str, int], path: Path) -> None:
    """One workload -> one object file whose symbol is `__tvm_ffi_` + symbol(workload)."""
    import tvm
    from tvm import te

    from ..algorithm import ALGORITHMS
    from ..targets.cpu.schedule import schedule

    computation = te.create_prim_func(ALGORITHMS[workload.kind].compute(workload, device.lanes))
    module = schedule(computation, workload, device, knobs, symbol(workload)).mod
    tvm.compile(module, target=tvm.target.Target(dict(device.target))).mod.write_to_file(str(path))


Facts = dict[Workload, dict[str, Any]]  # what the manifest says of a kernel


def _cpu_sources(program: Program, model: str, work: Path, tick: Tick) -> tuple[list[Path], Facts]:
    """What the library is made of: object files, the tables, the runtime for processors."""
    workloads = program.plan.workloads
    for i, workload in enumerate(workloads):
        tick(str(workload), i, len(workloads) + 1)
        compile_kernel(workload, program.device, program.knobs[workload], work / f"{symbol(workload)}.o")
    generated = work / "network.c"
    generated.write_text(network_c(program, model))
    return [generated, *work.glob("*.o"), *(TARGETS / "cpu" / "runtime").glob("*.c")], {}


def _gpu_sources(program: Program, model: str, work: Path, tick: Tick) -> tuple[list[Path], Facts]:
    """The same for graphics processors: the kernels are PTX, a text in the tables. How each is launched and, where there
    is an assembler, what it uses."""
    gpu, workloads = program.device.gpu, program.plan.workloads
    assert gpu is not None
    kernels = {}
    for i, workload in enumerate(workloads):
        tick(str(workload), i, len(workloads) + 1)
        kernels[workload] = ptx.kernel(workload, program.device, program.knobs[workload], symbol(workload))
    text = ptx.together(list(kernels.values()), program.device)
    used = ptx.assemble(text, gpu.arch) or {}
    for kernel in kernels.values():
        usage, threads = used.get(kernel.symbol), math.prod(kernel.threads)
        if usage and usage.spilled_bytes:
            raise KernelError(
                f"{kernel.symbol}: its knobs need more registers than {gpu.arch} has; {usage.spilled_bytes} bytes spill"
            )
        if usage and usage.registers * threads > gpu.registers:
            raise KernelError(
                f"{kernel.symbol}: {threads} threads of {usage.registers} registers; a block has {gpu.registers}"
            )
    generated = work / "network.c"
    generated.write_text(source_cuda.network_c(program, model, kernels, text))
    facts = {
        w: {"blocks": kernel.blocks, "threads": kernel.threads}
        | (asdict(used[kernel.symbol]) if kernel.symbol in used else {})
        for w, kernel in kernels.items()
    }
    return [generated, *(TARGETS / "cuda" / "runtime").glob("*.c")], facts


def _link(program: Program, sources: list[Path], work: Path, made: Path) -> None:
    """The library, and the little program beside it that finds it by its own place."""
    exports = work / "exports.map"
    exports.write_text(EXPORTS)
    paths = [str(path) for path in (*sources, *RUNTIME.glob("*.c"))]
    libraries = ["-ldl"] if program.device.gpu else []
    link(
        program.device,
        ["-fPIC", "-shared", f"-Wl,--version-script={exports}", *paths, *libraries, "-o", str(made / LIBRARY)],
    )
    main = str(RUNTIME / "program" / "main.c")
    link(program.device, [main, f"-L{made}", "-lfastdepth", "-lm", "-Wl,-rpath,$ORIGIN", "-o", str(made / PROGRAM)])


def link(device: Device, words: list[str]) -> None:
    """Compile C and link for a device, on any machine. Raises KernelError."""
    folder = TARGETS / ("cuda" if device.gpu else "cpu") / "runtime"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", device.linker, "-std=c11", "-O2"]
    command += ["-D_GNU_SOURCE", f"-I{RUNTIME}", f"-I{folder}", "-pthread", "-s", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"linking for {device.name} failed: {done.stderr.strip()[-800:]}")


def _manifest(program: Program, model: dict[str, Any], macs: int, kernels: Facts, made: Path) -> dict[str, Any]:
    device, shapes = program.device, program.plan.shapes()
    versions = {name: importlib.metadata.version(name) for name in ("fastdepth-zoo", "apache-tvm", "ziglang")}
    return {
        "format": FORMAT,
        "model": model,
        "device": device.name,
        "machine": device.machine,
        "requires": list(device.requires),
        "linked_for": device.linker,
        "lanes": device.lanes,
        "dtype": str(program.plan.dtype),
        "input": list(shapes[program.plan.input]),
        "output": list(shapes[program.plan.output][1:]),
        "unit": "metres",
        "macs": macs,
        "schedule_version": VERSION,
        "gpu": asdict(device.gpu) if device.gpu else None,
        "steps": [
            step
            | {"knobs": program.knobs[call.step.workload], "source": program.sources[call.step.workload]}
            | kernels.get(call.step.workload, {})
            for step, call in zip(steps(program.plan), program.calls, strict=True)
        ],
        "files": {
            path.name: {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in sorted(made.iterdir())
        },
        "versions": versions,
    }
