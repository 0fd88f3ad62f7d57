"""Program -> the C tables that the runtime walks, and what the library says of itself."""

from __future__ import annotations

import json
from typing import Any

from ...artifact.lower import Call, Operand, Program
from ...ir.plan import Plan

Facts = dict[str, Any]
PLACES = {"arena": "IN_ARENA", "parameters": "IN_PARAMETERS", "image": "IN_IMAGE", "depth": "IN_DEPTH"}


def network_c(program: Program, facts: Facts) -> str:
    """The generated half of the library."""
    required = program.device.requires
    kernels = sorted({call.symbol for call in program.calls})
    return "\n".join(
        [
            '#include "network.h"',
            "",
            *(f"kernel __tvm_ffi_{name};" for name in kernels),
            "",
            *constants(program, facts),
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


def constants(program: Program, facts: Facts) -> list[str]:
    """What the runtimes of processors and of graphics processors both have to know: runtime/constants.h."""
    height, width = facts["output"]
    numbers = {
        "int network_height": height,
        "int network_width": width,
        "size_t network_arena_bytes": program.arena_bytes,
        "size_t network_image_bytes": 4 * 3 * height * width,
        "size_t network_depth_bytes": 4 * height * width,
        "size_t network_parameter_bytes": len(program.parameters),
        "uint64_t network_parameter_hash": f"UINT64_C({fnv1a(program.parameters):#x})",
        "int network_step_count": len(program.calls),
    }
    texts = {"network_dtype": facts["dtype"], "network_description": json.dumps(facts)}
    return [
        *(f"const {name} = {value};" for name, value in numbers.items()),
        *(f"const char {name}[] = {json.dumps(text)};" for name, text in texts.items()),
    ]


def described(program: Program, model: dict[str, Any], macs: int) -> Facts:
    """What fastdepth_describe returns and the manifest repeats, so that the one can be checked against the other.

    `model`: name, weights_sha256, status. `macs`: multiply-accumulates of the network before the rewrites.
    """
    device, shapes = program.device, program.plan.shapes()
    return {
        "model": model,
        "device": device.name,
        "machine": device.machine,
        "linked_for": device.linker,
        "lanes": device.lanes,
        "dtype": "f32",
        "input": list(shapes[program.plan.input]),
        "output": list(shapes[program.plan.output][1:]),
        "macs": macs,
        "steps": steps(program.plan),
    }


def steps(plan: Plan) -> list[dict[str, str | int]]:
    """Name, workload and result shape of every step, for people and for tools."""
    shapes = plan.shapes()
    return [
        {"name": s.name, "workload": str(s.workload)}
        | dict(zip(("channels", "height", "width"), shapes[s.result], strict=True))
        for s in plan.steps
    ]


def fnv1a(data: bytes) -> int:
    """FNV-1a over little-endian 64-bit words, as in runtime/common.c."""
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
