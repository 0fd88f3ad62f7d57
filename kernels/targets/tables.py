"""What the generated C of every kind of machine has in common: sizes, the hash of the parameters, the description."""

from __future__ import annotations

import json

from ..ir.plan import Plan
from ..ir.program import Program

PLACES = {"arena": "IN_ARENA", "parameters": "IN_PARAMETERS", "image": "IN_IMAGE", "depth": "IN_DEPTH"}


def constants(program: Program, model: str) -> list[str]:
    """What every runtime has to know: sizes, and how to describe the network."""
    numbers = {
        "size_t network_arena_bytes": program.arena_bytes,
        "size_t network_image_bytes": program.bytes_of("image"),
        "size_t network_depth_bytes": program.bytes_of("depth"),
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
    return json.dumps(facts | {"lanes": program.device.simd_lanes, "steps": steps(program.plan)})


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
