"""Program -> a folder that is an ES module and a page: the network as two WebAssembly modules, and what runs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ...device import Device
from ...errors import KernelError
from ...ir.program import Program
from ..base import Description, Facts, OnProgress
from ..simd import compile_kernel
from ..simd_tables import network_c
from . import MODULES, WEB

RUNTIME = Path(__file__).parent / "runtime"
STACK = 1 << 18  # bytes; kernels keep tiles on it, and zig's 16 MB would be held whether used or not


def package(program: Program, facts: Description, work: Path, made: Path, on_progress: OnProgress) -> Facts:
    """Compile and link a program into `made`."""
    generated = work / "network.c"
    generated.write_text(network_c(program, facts) + memory_c(program))
    workloads, done = program.plan.workloads, 0
    for name, beyond in MODULES.items():
        device, folder, objects = _with(program.device, beyond), work / name, []
        folder.mkdir()
        for w in workloads:
            on_progress(f"{w}, {name}", done, len(MODULES) * len(workloads) + 1)
            objects.append(compile_kernel(w, device, program.knobs[w], folder))
            done += 1
        link(device, [generated, *objects], made / name)
    for path in WEB.iterdir():
        shutil.copyfile(path, made / path.name)
    return {}


def _with(device: Device, beyond: dict[str, list[str]]) -> Device:
    """The device with more told to TVM: values are added to those that its target has."""
    target = dict(device.target)
    return replace(device, target=target | {key: [*target.get(key, ()), *more] for key, more in beyond.items()})


def memory_c(program: Program) -> str:
    """The module's memory as arrays, runtime/network.h."""
    sizes = {
        "parameters": len(program.parameters),
        "arena": program.arena_bytes,
        "image": program.bytes_of("image"),
        "depth": program.bytes_of("depth"),
        "workspace": program.workspace_bytes,
    }
    return "".join(f"_Alignas(64) char network_{name}[{max(size, 1)}];\n" for name, size in sizes.items())


def link(device: Device, sources: Iterable[Path], module: Path) -> None:
    """A module of these sources and the runtime. Raises KernelError."""
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        device.zig_target,
        "-std=c11",
        "-O2",
        "-nostdlib",
        "-s",
    ]
    command += ["-msimd128", "-mbulk-memory", f"-I{RUNTIME}", f"-I{RUNTIME.parents[2] / 'runtime'}"]
    command += ["-Wl,--no-entry", f"-Wl,-z,stack-size={STACK}"]
    command += [*map(str, sources), *map(str, RUNTIME.glob("*.c")), "-o", str(module)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"linking for {device.name} failed: {done.stderr.strip()[-800:]}")
    module.chmod(0o644)  # no program, though zig makes it one
