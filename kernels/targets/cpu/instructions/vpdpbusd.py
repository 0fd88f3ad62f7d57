"""vpdpbusd of AVX-512 VNNI: sixteen sums of four products, unsigned by signed (Intel SDM, volume 2C). The bytes of four
neighbouring pixels are brought together by vpermb of AVX-512 VBMI."""

from .instruction import Instruction, transposed

LLVM = f"""
declare <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32>, <64 x i8>, <64 x i8>)

define <16 x i32> @fd_dot(<16 x i32> %acc, i32 %x, <64 x i8> %k) alwaysinline nounwind {{
  %one = insertelement <16 x i32> poison, i32 %x, i64 0
  %all = shufflevector <16 x i32> %one, <16 x i32> poison, <16 x i32> zeroinitializer
  %bytes = bitcast <16 x i32> %all to <64 x i8>
  %sum = call <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32> %acc, <64 x i8> %bytes, <64 x i8> %k)
  ret <16 x i32> %sum
}}

define <16 x i32> @fd_dots(<16 x i32> %acc, <64 x i8> %x, <64 x i8> %k) alwaysinline nounwind {{
  %fours = shufflevector <64 x i8> %x, <64 x i8> poison, <64 x i32> <{transposed(16)}>
  %sum = call <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32> %acc, <64 x i8> %fours, <64 x i8> %k)
  ret <16 x i32> %sum
}}
"""

INSTRUCTION = Instruction("vpdpbusd", 16, ("avx512_vnni", "avx512vbmi"), ("+avx512vnni", "+avx512vbmi"), LLVM)
