"""Program -> the C tables that the runtime walks."""

from __future__ import annotations

import json

from ..ir.program import Call, Operand, Program
from ..tvm_private import PREFIX
from .base import Description
from .tables import PLACES, constants


def network_c(program: Program, facts: Description) -> str:
    """The generated half of the library."""
    required = program.device.cpu_features
    kernels = sorted({call.symbol for call in program.calls})
    return "\n".join(
        [
            '#include "network.h"',
            "",
            *(f"kernel {PREFIX}{name};" for name in kernels),
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


def step_c(call: Call) -> str:
    """One row of the table of steps."""
    operands = ",\n".join(f"        {_operand(operand)}" for operand in call.operands)
    return f'    {{"{call.step.name}", {PREFIX}{call.symbol}, {len(call.operands)}, {{\n{operands}}}}},'


def _operand(operand: Operand) -> str:
    strides = [1]
    for extent in operand.shape[:0:-1]:
        strides.insert(0, strides[0] * extent)
    numbers = ["{" + ", ".join(map(str, values)) + "}" for values in (operand.shape, strides)]
    code, bits = operand.dtype.dlpack
    return f"{{{PLACES[operand.place]}, {operand.offset}, {code}, {bits}, {len(operand.shape)}, {', '.join(numbers)}}}"
