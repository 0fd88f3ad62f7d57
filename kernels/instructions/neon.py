"""usdot of Armv8.6 I8MM, and sdot of Armv8.2 DotProd: four sums of four products (Arm Architecture Reference Manual for
A-profile). sdot wants both signed, so it is given x - 128, and the bias makes up for that."""

from .instruction import Instruction, dot

TYPES = "(<4 x i32>, <16 x i8>, <16 x i8>)"


def llvm(name: str, flip: str) -> str:
    """The functions of an instruction; `flip`: what x's bytes are combined with by exclusive or."""
    full = f"@llvm.aarch64.neon.{name}.v4i32.v16i8"
    body = f"""%flipped = xor <16 x i8> %x4, splat (i8 {flip})
  %sum = call <4 x i32> {full}(<4 x i32> %acc, <16 x i8> %flipped, <16 x i8> %k)"""
    return f"declare <4 x i32> {full}{TYPES}\n{dot(4, body)}"


USDOT = Instruction("usdot", 4, ("i8mm",), ("+i8mm",), llvm("usdot", "0"))
SDOT = Instruction("sdot", 4, ("asimddp",), ("+dotprod",), llvm("sdot", "-128"), offset=128)
