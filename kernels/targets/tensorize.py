"""The block of a schedule that one dot product instruction computes, as TVM's tensorisation wants it described."""

from __future__ import annotations

from functools import cache
from typing import Any

from tvm.s_tir import TensorIntrin
from tvm.script import tirx as T

from ..layout import QUAD


@cache
def intrinsic(lanes: int, *, broadcast: bool, scope: str) -> str:
    """The registered name of `fd_dot` (`broadcast`: four numbers for all sums) or of `fd_dots` (four for each); `scope` is
    where TVM keeps the numbers: "global" for an operand, "local" for a staged copy."""
    name = f"fd_dot{'' if broadcast else 's'}_{lanes}_{scope}"
    TensorIntrin.register(name, *(_of_one if broadcast else _of_each)(lanes, scope))
    return name


def _of_one(lanes: int, scope: str) -> Any:
    sums, bytes_ = f"int32x{lanes}", f"int8x{QUAD * lanes}"

    @T.prim_func(s_tir=True)  # type: ignore[untyped-decorator]
    def block(x_: T.handle, k_: T.handle, acc_: T.handle) -> None:
        x = T.match_buffer(x_, (QUAD,), "uint8", offset_factor=1, scope=scope)
        k = T.match_buffer(k_, (lanes, QUAD), "int8", offset_factor=1)
        acc = T.match_buffer(acc_, (lanes,), "int32", offset_factor=1, scope="local")
        with T.sblock("root"):
            T.reads(acc[0:lanes], x[0:QUAD], k[0:lanes, 0:QUAD])
            T.writes(acc[0:lanes])
            for i in T.serial(0, lanes):
                for t in T.serial(0, QUAD):
                    with T.sblock("update"):
                        vi, vt = T.axis.remap("SR", [i, t])
                        acc[vi] = acc[vi] + T.cast(x[vt], "int32") * T.cast(k[vi, vt], "int32")

    @T.prim_func(s_tir=True)  # type: ignore[untyped-decorator]
    def instruction(x_: T.handle, k_: T.handle, acc_: T.handle) -> None:
        x = T.match_buffer(x_, (QUAD,), "uint8", offset_factor=1, scope=scope)
        k = T.match_buffer(k_, (lanes, QUAD), "int8", offset_factor=1)
        acc = T.match_buffer(acc_, (lanes,), "int32", offset_factor=1, scope="local")
        with T.sblock("root"):
            T.reads(acc[0:lanes], x[0:QUAD], k[0:lanes, 0:QUAD])
            T.writes(acc[0:lanes])
            acc[T.ramp(T.int32(0), 1, lanes)] = T.call_extern(
                sums,
                "fd_dot",
                acc.vload([0], sums),
                T.reinterpret(x.vload([0], f"uint8x{QUAD}"), dtype="int32"),
                k.vload([0, 0], bytes_),
            )

    return block, instruction


def _of_each(lanes: int, scope: str) -> Any:
    sums, bytes_ = f"int32x{lanes}", f"int8x{QUAD * lanes}"

    @T.prim_func(s_tir=True)  # type: ignore[untyped-decorator]
    def block(x_: T.handle, k_: T.handle, acc_: T.handle) -> None:
        x = T.match_buffer(x_, (QUAD, lanes), "uint8", offset_factor=1, scope=scope)
        k = T.match_buffer(k_, (lanes, QUAD), "int8", offset_factor=1)
        acc = T.match_buffer(acc_, (lanes,), "int32", offset_factor=1, scope="local")
        with T.sblock("root"):
            T.reads(acc[0:lanes], x[0:QUAD, 0:lanes], k[0:lanes, 0:QUAD])
            T.writes(acc[0:lanes])
            for i in T.serial(0, lanes):
                for t in T.serial(0, QUAD):
                    with T.sblock("update"):
                        vi, vt = T.axis.remap("SR", [i, t])
                        acc[vi] = acc[vi] + T.cast(x[vt, vi], "int32") * T.cast(k[vi, vt], "int32")

    @T.prim_func(s_tir=True)  # type: ignore[untyped-decorator]
    def instruction(x_: T.handle, k_: T.handle, acc_: T.handle) -> None:
        x = T.match_buffer(x_, (QUAD, lanes), "uint8", offset_factor=1, scope=scope)
        k = T.match_buffer(k_, (lanes, QUAD), "int8", offset_factor=1)
        acc = T.match_buffer(acc_, (lanes,), "int32", offset_factor=1, scope="local")
        with T.sblock("root"):
            T.reads(acc[0:lanes], x[0:QUAD, 0:lanes], k[0:lanes, 0:QUAD])
            T.writes(acc[0:lanes])
            acc[T.ramp(T.int32(0), 1, lanes)] = T.call_extern(
                sums, "fd_dots", acc.vload([0], sums), x.vload([0, 0], f"uint8x{QUAD * lanes}"), k.vload([0, 0], bytes_)
            )

    return block, instruction
