"""What a dot product instruction is to a schedule: a name, what it needs, and LLVM's words for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Instruction:
    """Two functions in LLVM's language, and what a processor must have for them."""

    name: str
    lanes: int  # sums of one vector
    cpu_features: tuple[str, ...]  # in the spelling of /proc/cpuinfo
    mattr: tuple[str, ...]  # the same in LLVM's
    llvm: str  # defines fd_dot and fd_dots


def transposed(lanes: int) -> str:
    """The mask that makes `lanes` fours of what lies as four times `lanes`."""
    return ", ".join(f"i32 {t * lanes + i}" for i in range(lanes) for t in range(4))
