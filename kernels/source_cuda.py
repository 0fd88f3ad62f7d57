"""Program + PTX kernels -> the C tables that the runtime for graphics processors walks."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .lower import Call, Program
from .ptx import NAMES, Kernel
from .source import PLACES, description, fnv1a
from .workload import Workload


def network_c(program: Program, model: str, kernels: Mapping[Workload, Kernel], ptx: str) -> str:
    """The generated half of the library."""
    gpu = program.device.gpu
    assert gpu is not None
    _, height, width = program.plan.shapes()[program.plan.input]
    numbers = {
        "size_t network_arena_bytes": program.arena_bytes,
        "size_t network_image_bytes": 4 * 3 * height * width,
        "size_t network_depth_bytes": 4 * height * width,
        "size_t network_parameter_bytes": len(program.parameters),
        "uint64_t network_parameter_hash": f"UINT64_C({fnv1a(program.parameters):#x})",
        "int network_step_count": len(program.calls),
    }
    return "\n".join(
        [
            '#include "network.h"',
            "",
            *(f"const {name} = {value};" for name, value in numbers.items()),
            f"const int network_capability[2] = {{{gpu.capability[0]}, {gpu.capability[1]}}};",
            f"const char network_description[] = {json.dumps(description(program, model))};",
            "",
            "const char network_ptx[] =",
            *(f"    {json.dumps(line + chr(10), ensure_ascii=True)}" for line in ptx.splitlines()),
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
    result, size = kernel.operands.index("result"), 4
    for extent in by_name["result"].shape:
        size *= extent
    words = f'"{call.step.name}", "{kernel.symbol}", {sizes}, {len(taken)}, {{{operands}}}, {result}, {size}'
    return f"    {{{words}}},"
