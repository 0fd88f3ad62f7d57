"""Program -> library: an object file a kernel, the tables, the runtime."""

from __future__ import annotations

from pathlib import Path

from ...ir.program import Program
from ..base import Description, Facts, OnProgress
from ..native import HEADER
from ..native import package as package_native
from ..simd import compile_kernel
from ..simd_tables import network_c


def package(program: Program, facts: Description, work: Path, made: Path, on_progress: OnProgress) -> Facts:
    """Compile and link a program into `made`."""
    workloads, objects = program.plan.workloads, []
    for i, w in enumerate(workloads):
        on_progress(str(w), i, len(workloads) + 1)
        objects.append(compile_kernel(w, program.device, program.knobs[w], work))
    on_progress("linking", len(workloads), len(workloads) + 1)
    generated = work / "network.c"
    generated.write_text(network_c(program, facts))
    package_native(program.device, [generated, *objects], work, made, [HEADER])
    return {}
