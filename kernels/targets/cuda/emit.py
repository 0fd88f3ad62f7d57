"""Program + PTX kernels -> the C tables that the runtime for graphics processors walks."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...ir.program import Call, Program
from ...ir.workload import Workload
from ..base import Description
from ..tables import PLACES, constants
from .ptx import NAMES, Kernel
from .space import gpu_of


def network_c(program: Program, facts: Description, kernels: Mapping[Workload, Kernel], ptx: str) -> str:
    """The generated half of the library."""
    capability = gpu_of(program.device).capability
    return "\n".join(
        [
            '#include "network.h"',
            "",
            *constants(program, facts),
            f"const int network_capability[2] = {{{capability[0]}, {capability[1]}}};",
            "",
            "const char network_ptx[] =",  # without indents and empty lines: both the library and the program hold it
            *(
                f"    {json.dumps(line + chr(10), ensure_ascii=True)}"
                for line in map(str.strip, ptx.splitlines())
                if line
            ),
            "    ;",
            "",
            "const step network_steps[] = {",
            *(_step(call, kernels[call.step.workload]) for call in program.calls),
            "};",
            "",
        ]
    )


def _step(call: Call, kernel: Kernel) -> str:
    names = [name for name in NAMES if name != "skip" or call.step.skip]
    by_name = dict(zip(names, call.operands, strict=True))
    taken = [by_name[name] for name in kernel.operands]
    operands = ", ".join(f"{{{PLACES[operand.place]}, {operand.offset}}}" for operand in taken)
    sizes = ", ".join("{" + ", ".join(map(str, size)) + "}" for size in (kernel.blocks, kernel.threads))
    result, size = kernel.operands.index("result"), by_name["result"].bytes
    words = f'"{call.step.name}", "{kernel.symbol}", {sizes}, {len(taken)}, {{{operands}}}, {result}, {size}'
    return f"    {{{words}}},"
