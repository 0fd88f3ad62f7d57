"""vpdpbusd of AVX-512 VNNI and of AVX-VNNI: sums of four products, unsigned by signed (Intel SDM, volume 2C). The bytes of four
neighbouring pixels are brought together by shuffles, with AVX-512 VBMI by one vpermb."""

from .instruction import QUAD, Instruction, dot


def llvm(lanes: int) -> str:
    """Its functions for vectors of so many sums."""
    sums, fours = f"<{lanes} x i32>", f"<{QUAD * lanes} x i8>"
    name = f"@llvm.x86.avx512.vpdpbusd.{32 * lanes}"
    body = f"%sum = call {sums} {name}({sums} %acc, {fours} %x4, {fours} %k)"
    return f"declare {sums} {name}({sums}, {fours}, {fours})\n{dot(lanes, body)}"


AVX512 = Instruction("vpdpbusd", 16, ("avx512_vnni", "avx512vbmi"), ("+avx512vnni", "+avx512vbmi"), llvm(16))
AVX = Instruction("vpdpbusd", 8, ("avx_vnni",), ("+avxvnni",), llvm(8))
