"""Program -> library: every kernel as PTX, a text in the tables, and the runtime that hands it to NVIDIA's driver."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from ...device import Gpu
from ...errors import KernelError
from ...ir.program import Program, symbol
from ..base import Description, Facts, OnProgress
from ..native import package as package_native
from . import ptx
from .emit import network_c
from .space import gpu_of


def package(program: Program, facts: Description, work: Path, made: Path, on_progress: OnProgress) -> Facts:
    """Compile and link a program into `made`."""
    device, workloads, kernels = program.device, program.plan.workloads, {}
    gpu = gpu_of(device)
    for i, w in enumerate(workloads):
        on_progress(str(w), i, len(workloads) + 1)
        kernels[w] = ptx.kernel(w, device, program.knobs[w], symbol(w))
    on_progress("linking", len(workloads), len(workloads) + 1)
    text = ptx.together(list(kernels.values()), device)
    used = ptx.assemble(text, gpu.arch) or {}
    _check(kernels.values(), used, gpu)
    generated = work / "network.c"
    generated.write_text(network_c(program, facts, kernels, text))
    package_native(device, [generated], work, made, ["fastdepth.h", "fastdepth_cuda.h"], ["-ldl"])
    return {
        w: {"blocks": kernel.blocks, "threads": kernel.threads}
        | (asdict(used[kernel.symbol]) if kernel.symbol in used else {})
        for w, kernel in kernels.items()
    }


def _check(kernels: Iterable[ptx.Kernel], used: Mapping[str, ptx.Usage], gpu: Gpu) -> None:
    """Raise KernelError for a kernel that does not get the registers it needs."""
    for kernel in kernels:
        usage, threads = used.get(kernel.symbol), math.prod(kernel.threads)
        if usage and usage.spilled_bytes:
            raise KernelError(
                f"{kernel.symbol}: its knobs need more registers than {gpu.arch} has; {usage.spilled_bytes} bytes spill"
            )
        if usage and usage.registers * threads > gpu.registers:
            raise KernelError(
                f"{kernel.symbol}: {threads} threads of {usage.registers} registers; a block has {gpu.registers}"
            )
