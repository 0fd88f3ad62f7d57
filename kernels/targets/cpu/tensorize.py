"""The block of a schedule that one dot product instruction computes, as TVM's tensorisation wants it described."""

from __future__ import annotations

from functools import cache

from tvm.s_tir import TensorIntrin
from tvm.script import tirx as T

from ...layout import QUAD


@cache
def intrinsic(lanes: int, *, broadcast: bool, scope: str) -> str:
    """The registered name of `fd_dot` (`broadcast`: four numbers for all sums) or of `fd_dots` (four for each); `scope` is
    where TVM keeps the numbers: "global" for an operand, "local" for a staged copy."""
    name = f"fd_dot{'' if broadcast else 's'}_{lanes}_{scope}"
    TensorIntrin.register(name, *(_of_one if broadcast else _of_each)(lanes, scope))
    return name


def _of_one(lanes, scope):  # type: ignore[no-untyped-def] # TVMScript
    sums, bytes_ = f"int32x{lanes}", f"int8x{QUAD * lanes}"

    @T.prim_func(s_tir=True)
    def block(x: T.handle, k: T.handle, acc: T.handle) -> None:
        X = T.match_buffer(x, (QUAD,), "uint8", offset_factor=1, scope=scope)
        K = T.match_buffer(k, (lanes, QUAD), "int8", offset_factor=1)
        C = T.match_buffer(acc, (lanes,), "int32", offset_factor=1, scope="local")
        with T.sblock("root"):
            T.reads(C[0:lanes], X[0:QUAD], K[0:lanes, 0:QUAD])
            T.writes(C[0:lanes])
            for i in T.serial(0, lanes):
                for t in T.serial(0, QUAD):
                    with T.sblock("update"):
                        vi, vt = T.axis.remap("SR", [i, t])
                        C[vi] = C[vi] + T.cast(X[vt], "int32") * T.cast(K[vi, vt], "int32")

    @T.prim_func(s_tir=True)
    def instruction(x: T.handle, k: T.handle, acc: T.handle) -> None:
        X = T.match_buffer(x, (QUAD,), "uint8", offset_factor=1, scope=scope)
        K = T.match_buffer(k, (lanes, QUAD), "int8", offset_factor=1)
        C = T.match_buffer(acc, (lanes,), "int32", offset_factor=1, scope="local")
        with T.sblock("root"):
            T.reads(C[0:lanes], X[0:QUAD], K[0:lanes, 0:QUAD])
            T.writes(C[0:lanes])
            C[T.ramp(T.int32(0), 1, lanes)] = T.call_extern(
                sums,
                "fd_dot",
                C.vload([0], sums),
                T.reinterpret(X.vload([0], f"uint8x{QUAD}"), dtype="int32"),
                K.vload([0, 0], bytes_),
            )

    return block, instruction


def _of_each(lanes, scope):  # type: ignore[no-untyped-def] # TVMScript
    sums, bytes_ = f"int32x{lanes}", f"int8x{QUAD * lanes}"

    @T.prim_func(s_tir=True)
    def block(x: T.handle, k: T.handle, acc: T.handle) -> None:
        X = T.match_buffer(x, (QUAD, lanes), "uint8", offset_factor=1, scope=scope)
        K = T.match_buffer(k, (lanes, QUAD), "int8", offset_factor=1)
        C = T.match_buffer(acc, (lanes,), "int32", offset_factor=1, scope="local")
        with T.sblock("root"):
            T.reads(C[0:lanes], X[0:QUAD, 0:lanes], K[0:lanes, 0:QUAD])
            T.writes(C[0:lanes])
            for i in T.serial(0, lanes):
                for t in T.serial(0, QUAD):
                    with T.sblock("update"):
                        vi, vt = T.axis.remap("SR", [i, t])
                        C[vi] = C[vi] + T.cast(X[vt, vi], "int32") * T.cast(K[vi, vt], "int32")

    @T.prim_func(s_tir=True)
    def instruction(x: T.handle, k: T.handle, acc: T.handle) -> None:
        X = T.match_buffer(x, (QUAD, lanes), "uint8", offset_factor=1, scope=scope)
        K = T.match_buffer(k, (lanes, QUAD), "int8", offset_factor=1)
        C = T.match_buffer(acc, (lanes,), "int32", offset_factor=1, scope="local")
        with T.sblock("root"):
            T.reads(C[0:lanes], X[0:QUAD, 0:lanes], K[0:lanes, 0:QUAD])
            T.writes(C[0:lanes])
            C[T.ramp(T.int32(0), 1, lanes)] = T.call_extern(
                sums, "fd_dots", C.vload([0], sums), X.vload([0, 0], f"uint8x{QUAD * lanes}"), K.vload([0, 0], bytes_)
            )

    return block, instruction
