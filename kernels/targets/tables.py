"""What the generated C of every kind of machine has in common: sizes, the hash of the parameters, the description."""

from __future__ import annotations

import json
from typing import Any

from ..ir.plan import Plan
from ..ir.program import Program
from .base import Description

PLACES = {"arena": "IN_ARENA", "parameters": "IN_PARAMETERS", "image": "IN_IMAGE", "depth": "IN_DEPTH"}


def constants(program: Program, facts: Description) -> list[str]:
    """What every runtime has to know: runtime/constants.h."""
    height, width = facts["output"]
    numbers = {
        "int network_height": height,
        "int network_width": width,
        "size_t network_arena_bytes": program.arena_bytes,
        "size_t network_image_bytes": program.bytes_of("image"),
        "size_t network_depth_bytes": program.bytes_of("depth"),
        "size_t network_parameter_bytes": len(program.parameters),
        "uint64_t network_parameter_hash": f"UINT64_C({fnv1a(program.parameters):#x})",
        "int network_step_count": len(program.calls),
    }
    texts = {"network_dtype": facts["dtype"], "network_description": json.dumps(facts)}
    return [
        *(f"const {name} = {value};" for name, value in numbers.items()),
        *(f"const char {name}[] = {json.dumps(text)};" for name, text in texts.items()),
    ]


def description(program: Program, model: dict[str, Any], macs: int) -> Description:
    """What fastdepth_describe returns and the manifest repeats, so that the one can be checked against the other.

    `model`: name, weights_sha256, status. `macs`: multiply-accumulates of the network before the rewrites.
    """
    device, plan, shapes = program.device, program.plan, program.plan.shapes()
    return {
        "model": model,
        "device": device.name,
        "arch": device.arch,
        "zig_target": device.zig_target,
        "simd_lanes": device.simd_lanes,
        "dtype": str(plan.dtype),
        "input": list(shapes[plan.input]),
        "output": list(shapes[plan.output][1:]),
        "macs": macs,
        "steps": steps(plan),
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
