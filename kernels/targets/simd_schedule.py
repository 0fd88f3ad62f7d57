"""Schedules for processors with vector registers: one register tile of accumulators, the lanes across channels."""

from __future__ import annotations

from typing import Any

from tvm.s_tir import Schedule

from ..device import Device
from ..instructions import instruction_for
from ..instructions.instruction import Instruction
from ..ir.workload import PER_CHANNEL, Workload
from .base import Knobs
from .simd_space import in_place
from .tensorize import intrinsic


def schedule(sch: Schedule, w: Workload, device: Device, knobs: Knobs) -> None:
    """Apply a legal setting to a workload's computation."""
    if w.kind == "head":
        across_lanes(sch, factor=_factor(w), **knobs)
        return
    quantized = w.dtype.quantized
    half = not quantized and w.cout <= device.simd_lanes // 2  # one half of the lanes is computed, the other is zeros
    register_tiles(
        sch,
        factor=_factor(w),
        pad=_pad(w, knobs),
        parts=1 + half,
        quads=quantized,
        instruction=instruction_for(device.simd_lanes, device.cpu_features) if quantized else None,
        broadcast=w.kind != "depthwise",
        **knobs,
    )


def _pad(w: Workload, knobs: Knobs) -> str:
    """Where the input is padded with zeros: "none"; "place": where it lies, by conditions; staged per "task", as a block
    of the result needs only its own block of the input; or per "strip", for all blocks that read it, unless there is but
    one strip to share out: then every task stages it again, which costs less than reading the weights for every strip."""
    if w.kind == "pointwise":
        return "none"
    if w.kind in PER_CHANNEL:
        return "place" if in_place(w) else "task"
    return "task" if w.kind == "conv" and knobs["task_h"] == w.conv_sides[0] else "strip"


def _factor(w: Workload) -> int:
    return 2 if "double" in w.epilogue else 1


def register_tiles(
    sch: Schedule,
    *,
    tile_h: int,
    tile_w: int,
    tile_oc: int,
    task_h: int,
    unroll: int,
    factor: int,
    pad: str,
    parts: int,
    quads: bool,
    instruction: Instruction | None,
    broadcast: bool,
) -> None:
    """for o: for h: for w: for reduction: vector

    ->  parallel strip: parallel block group: (stage the padded strip)
            for row tile: for column tile:
                for reduction: unrolled tile_oc x tile_h x tile_w: vector accumulators in registers
                unrolled tile_oc x tile_h x tile_w (x 2 x 2 where doubled) x parts of a vector: epilogue, write

    `quads`: the innermost reduction is over four products, which one instruction computes for a whole vector, where there
    is one; `broadcast`: of the same four numbers in every lane.
    """
    conv, result = sch.get_sblock("conv"), sch.get_sblock("result")
    if pad == "place":
        sch.compute_inline(sch.get_sblock("padded"))
    o, h, v, lane = sch.get_loops(result)
    oo, oi = sch.split(o, [None, tile_oc])
    hs, ho, hi = sch.split(h, [None, task_h // tile_h, tile_h * factor])
    vo, vi = sch.split(v, [None, tile_w * factor])
    *part, lane = [lane] if parts == 1 else sch.split(lane, [parts, None])
    sch.reorder(hs, oo, ho, vo, oi, hi, vi, *part, lane)
    sch.compute_at(conv, vo, preserve_unit_loops=True)
    sch.set_scope(conv, 0, "local")
    if pad == "strip":
        _stage(sch, hs)
        sch.parallel(hs)
    else:
        task = sch.fuse(hs, oo)
        if pad == "task":
            _stage(sch, task)
        sch.parallel(task)
    for loop in (oi, hi, vi, *part):
        sch.unroll(loop)
    sch.vectorize(lane)

    outer = len(sch.get_loops(result)) - 3 - parts
    loops = sch.get_loops(conv)
    tile, reduction = loops[outer : outer + 4], loops[outer + 4 :]
    quad = [reduction.pop()] if quads else []
    head, *rest = reduction
    if not rest:
        head, inner = sch.split(head, [None, unroll])
        rest = [inner]
    *pixels, vector = tile
    sch.reorder(head, *rest, *pixels, *quad, vector)
    for loop in (*rest, *pixels):
        sch.unroll(loop)
    if instruction:
        sch.reorder(vector, *quad)
    else:
        for loop in quad:
            sch.unroll(loop)
        sch.vectorize(vector)
    init = sch.decompose_reduction(conv, head)
    if instruction:
        sch.tensorize(
            vector, intrinsic(instruction.lanes, broadcast=broadcast, scope="global" if pad == "none" else "local")
        )
        sch.annotate(sch.get_loops(result)[0], "pragma_import_llvm", instruction.llvm)
    if pad == "place":  # every tap is code of its own, with conditions on whole rows and the first and last columns
        sch.unroll(head)
    _unroll_vector(sch, init, 4)


def across_lanes(sch: Schedule, *, tile_w: int, factor: int) -> None:
    """for h: for w: for lane: partial;  for h: for w: sum over lanes

    ->  parallel h: for column tile: unrolled tile_w: vector partial;  vector tile_w: sum over lanes;  write
    """
    partial, conv, result = (sch.get_sblock(name) for name in ("partial", "conv", "result"))
    _, h, v = sch.get_loops(result)
    ho, hi = sch.split(h, [None, factor])
    vo, vi = sch.split(v, [None, tile_w * factor])
    sch.reorder(ho, vo, hi, vi)
    sch.compute_at(conv, vo, preserve_unit_loops=True)
    sch.compute_at(partial, vo, preserve_unit_loops=True)
    for block in (conv, partial):
        sch.set_scope(block, 0, "local")
    sch.parallel(ho)
    sch.unroll(hi)
    sch.vectorize(vi)

    *_, row, pixels, lanes = sch.get_loops(conv)
    sch.reorder(lanes, row, pixels)
    sch.vectorize(pixels)
    sch.unroll(lanes)
    _unroll_vector(sch, sch.decompose_reduction(conv, lanes), 2)
    *_, row, pixels, lanes, c = sch.get_loops(partial)
    sch.reorder(c, row, pixels, lanes)
    sch.unroll(pixels)
    sch.vectorize(lanes)
    _unroll_vector(sch, sch.decompose_reduction(partial, c), 3)


def _stage(sch: Schedule, loop: Any) -> None:
    padded = sch.get_sblock("padded")
    sch.compute_at(padded, loop, preserve_unit_loops=True)
    sch.set_scope(padded, 0, "local")
    sch.vectorize(sch.get_loops(padded)[-1])


def _unroll_vector(sch: Schedule, block: Any, loops: int) -> None:
    *unrolled, vector = sch.get_loops(block)[-loops:]
    for loop in unrolled:
        sch.unroll(loop)
    sch.vectorize(vector)
