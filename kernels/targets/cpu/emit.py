"""Program -> the C tables that the runtime walks, and the header that tells its user the sizes."""

from __future__ import annotations

import json

from ...artifact.lower import Call, Operand, Program
from ...ir.plan import Plan

PLACES = {"arena": "IN_ARENA", "parameters": "IN_PARAMETERS", "image": "IN_IMAGE", "depth": "IN_DEPTH"}


def network_c(program: Program, model: str) -> str:
    """The generated half of the library."""
    required = program.device.requires
    kernels = sorted({call.symbol for call in program.calls})
    return "\n".join(
        [
            '#include "network.h"',
            "",
            *(f"kernel __tvm_ffi_{name};" for name in kernels),
            "",
            *constants(program, model),
            f"const size_t network_workspace_bytes = {program.workspace_bytes};",
            "",
            "const step network_steps[] = {",
            *(step_c(call) for call in program.calls),
            "};",
            "",
            f"const char *const network_requires[] = {{{''.join(f'{json.dumps(name)}, ' for name in required)}NULL}};",
            "",
        ]
    )


def constants(program: Program, model: str) -> list[str]:
    """What the runtimes of processors and of graphics processors both have to know: sizes, and how to describe it."""
    sizes = {operand.place: operand.bytes for call in program.calls for operand in call.operands}
    numbers = {
        "size_t network_arena_bytes": program.arena_bytes,
        "size_t network_image_bytes": sizes["image"],
        "size_t network_depth_bytes": sizes["depth"],
        "size_t network_parameter_bytes": len(program.parameters),
        "uint64_t network_parameter_hash": f"UINT64_C({fnv1a(program.parameters):#x})",
        "int network_step_count": len(program.calls),
    }
    described = f"const char network_description[] = {json.dumps(description(program, model))};"
    return [*(f"const {name} = {value};" for name, value in numbers.items()), described]


def description(program: Program, model: str) -> str:
    """What fastdepth_describe returns."""
    shapes = program.plan.shapes()
    _, height, width = shapes[program.plan.input]
    facts = {
        "model": model,
        "device": program.device.name,
        "dtype": str(program.plan.dtype),
        "height": height,
        "width": width,
    }
    return json.dumps(facts | {"lanes": program.device.lanes, "steps": steps(program.plan)})


def steps(plan: Plan) -> list[dict[str, str | int]]:
    """Name, workload and result shape of every step, for people and for tools."""
    shapes = plan.shapes()
    return [
        {"name": s.name, "workload": str(s.workload)}
        | dict(zip(("channels", "height", "width"), shapes[s.result], strict=True))
        for s in plan.steps
    ]


def fnv1a(data: bytes) -> int:
    """FNV-1a over little-endian 64-bit words, as in runtime/fastdepth.c."""
    state = 0xCBF29CE484222325
    for i in range(0, len(data) - 7, 8):
        state = ((state ^ int.from_bytes(data[i : i + 8], "little")) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return state


def step_c(call: Call) -> str:
    """One row of the table of steps."""
    operands = ",\n".join(f"        {_operand(operand)}" for operand in call.operands)
    return f'    {{"{call.step.name}", __tvm_ffi_{call.symbol}, {len(call.operands)}, {{\n{operands}}}}},'


def _operand(operand: Operand) -> str:
    strides = [1]
    for extent in operand.shape[:0:-1]:
        strides.insert(0, strides[0] * extent)
    numbers = ["{" + ", ".join(map(str, values)) + "}" for values in (operand.shape, strides)]
    return f"{{{PLACES[operand.place]}, {operand.offset}, {len(operand.shape)}, {numbers[0]}, {numbers[1]}}}"
