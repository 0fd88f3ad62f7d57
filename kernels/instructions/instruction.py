"""What a dot product instruction is to a schedule: a name, what it needs, and LLVM's words for it."""

from __future__ import annotations

from dataclasses import dataclass

from ..layout import QUAD as QUAD


@dataclass(frozen=True)
class Instruction:
    """Two functions in LLVM's language, and what a processor must have for them."""

    name: str
    lanes: int  # sums of one vector
    cpu_features: tuple[str, ...]  # in the spelling of /proc/cpuinfo
    mattr: tuple[str, ...]  # the same in LLVM's
    llvm: str  # defines fd_dot and fd_dots
    offset: int = 0  # what they take from x: offset times the sum of all weights is added to the bias instead


def dot(lanes: int, body: str) -> str:
    """The two functions, given what makes %sum of %acc, of %x4, fours of x for each sum, and of the weights %k."""
    sums, fours = f"<{lanes} x i32>", f"<{QUAD * lanes} x i8>"
    mask = f"<{QUAD * lanes} x i32> <{transposed(lanes)}>"
    return f"""
define {sums} @fd_dot({sums} %acc, i32 %x, {fours} %k) alwaysinline nounwind {{
  %one = insertelement {sums} poison, i32 %x, i64 0
  %all = shufflevector {sums} %one, {sums} poison, {sums} zeroinitializer
  %x4 = bitcast {sums} %all to {fours}
  {body}
  ret {sums} %sum
}}

define {sums} @fd_dots({sums} %acc, {fours} %x, {fours} %k) alwaysinline nounwind {{
  %x4 = shufflevector {fours} %x, {fours} poison, {mask}
  {body}
  ret {sums} %sum
}}
"""


def transposed(lanes: int) -> str:
    """The mask that makes `lanes` fours of what lies as four times `lanes`."""
    return ", ".join(f"i32 {t * lanes + i}" for i in range(lanes) for t in range(QUAD))
