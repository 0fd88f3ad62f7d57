"""Dot product instructions: 32-bit sums of products of four bytes, a vector of them at once. A file an instruction.

Each is a few lines of LLVM's language, inlined into the kernels: what TVM sees are calls of two functions,

fd_dot   (acc: lanes x i32, x: i32, k: 4 lanes x i8)             acc[i] + the sum over t of x[t] k[4 i + t]
fd_dots  (acc: lanes x i32, x: 4 lanes x i8, k: 4 lanes x i8)    acc[i] + the sum over t of x[lanes t + i] k[4 i + t]

for x unsigned and k signed; an instruction may take x minus an offset. So a new one needs no schedule of its own.
"""

from __future__ import annotations

from . import neon, vpdpbusd
from .instruction import Instruction

INSTRUCTIONS: tuple[Instruction, ...] = (vpdpbusd.AVX512, vpdpbusd.AVX, neon.USDOT, neon.SDOT)  # the better ones first


def instruction_for(lanes: int, cpu_features: tuple[str, ...]) -> Instruction | None:
    """The one that a processor with these features has for vectors of so many sums; None where it has none."""
    for known in INSTRUCTIONS:
        if known.lanes == lanes and set(known.cpu_features) <= set(cpu_features):
            return known
    return None
