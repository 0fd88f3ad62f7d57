"""Schedules for graphics processors: a block of threads shares a tile of the input, each keeps its results in registers."""

from __future__ import annotations

from typing import Any

from tvm.s_tir import Schedule

from ...ir.workload import Workload
from ..base import Knobs

AXES = ("z", "y", "x")


def schedule(sch: Schedule, w: Workload, knobs: Knobs) -> None:
    """Apply a legal setting to a workload's computation."""
    factor = 2 if "double" in w.epilogue else 1
    if w.kind == "head":
        pixels(sch, factor=factor, **knobs)
    else:
        tiles(sch, factor=factor, kind=w.kind, **knobs)


def tiles(
    sch: Schedule,
    *,
    threads_oc: int,
    threads_h: int,
    threads_w: int,
    thread_oc: int,
    thread_h: int,
    thread_w: int,
    tile_ic: int,
    factor: int,
    kind: str,
    vthread_oc: int = 1,
    vthread_h: int = 1,
    vthread_w: int = 1,
) -> None:
    """for o: for h: for w: for reduction

    ->  blocks of threads over (o, h, w); virtual threads, which lie apart; threads; per thread thread_oc x thread_h x thread_w
            for tile_ic of the input channels:
                all threads: fetch these channels' input, padded with zeros, and their filters into shared memory
                for reduction within them: unrolled thread_oc x thread_h x thread_w: multiply-add
            unrolled thread_oc x thread_h x thread_w (x 2 x 2 where doubled): epilogue, write
    """
    conv, result = sch.get_sblock("conv"), sch.get_sblock("result")
    o, h, v, lane = sch.get_loops(result)
    ob, oa, ot, oi = sch.split(o, [None, vthread_oc, threads_oc, thread_oc // vthread_oc])
    hb, ha, ht, hi = sch.split(h, [None, vthread_h, threads_h, thread_h // vthread_h * factor])
    vb, va, vt, vi = sch.split(v, [None, vthread_w, threads_w, thread_w // vthread_w * factor])
    sch.reorder(ob, hb, vb, oa, ha, va, ot, ht, vt, oi, hi, vi, lane)
    for axis, block, apart, thread in zip(AXES, (ob, hb, vb), (oa, ha, va), (ot, ht, vt), strict=True):
        sch.bind(block, f"blockIdx.{axis}")
        sch.bind(apart, f"vthread.{axis}")
        sch.bind(thread, f"threadIdx.{axis}")
    sch.compute_at(conv, vt, preserve_unit_loops=True)
    sch.set_scope(conv, 0, "local")
    for loop in (oi, hi, vi):
        sch.unroll(loop)

    tile, reduction = sch.get_loops(conv)[9:13], sch.get_loops(conv)[13:]
    if kind == "depthwise":
        outer, inner = vt, reduction
    else:
        outer, first = sch.split(reduction[0], [None, tile_ic])
        inner = [first, *reduction[1:]]
        sch.reorder(outer, *inner, *tile)
    sch.reorder(*inner, *tile)
    data = sch.cache_read(conv, 0, "shared") if kind == "pointwise" else sch.get_sblock("padded")
    sch.set_scope(data, 0, "shared")
    for block in (data, sch.cache_read(conv, 1, "shared")):
        sch.compute_at(block, outer, preserve_unit_loops=True)
        _together(sch, block, len(sch.get_loops(conv)) - len(tile) - len(inner), threads_oc, threads_h, threads_w)
    for loop in tile:
        sch.unroll(loop)
    if len(inner) == 3 or kind == "depthwise":
        for loop in inner[-2:]:
            sch.unroll(loop)
    init = sch.decompose_reduction(conv, inner[0] if kind == "depthwise" else outer)
    for loop in sch.get_loops(init)[-4:]:
        sch.unroll(loop)


def pixels(sch: Schedule, *, threads_h: int, threads_w: int, factor: int) -> None:
    """for h: for w: for lane: partial;  for h: for w: sum over lanes

    ->  blocks of threads over (h, w); threads over (h, w); per thread one pixel's sum, written (2 x 2 where doubled)
    """
    partial, conv, result = (sch.get_sblock(name) for name in ("partial", "conv", "result"))
    _, h, v = sch.get_loops(result)
    hb, ht, hi = sch.split(h, [None, threads_h, factor])
    vb, vt, vi = sch.split(v, [None, threads_w, factor])
    sch.reorder(hb, vb, ht, vt, hi, vi)
    for axis, block, thread in zip(AXES[1:], (hb, vb), (ht, vt), strict=True):
        sch.bind(block, f"blockIdx.{axis}")
        sch.bind(thread, f"threadIdx.{axis}")
    for block in (conv, partial):
        sch.compute_at(block, vt, preserve_unit_loops=True)
        sch.set_scope(block, 0, "local")
    for loop in (hi, vi):
        sch.unroll(loop)


def _together(sch: Schedule, block: Any, outside: int, threads_oc: int, threads_h: int, threads_w: int) -> None:
    """Have all threads of a block do this part of the work, neighbours at neighbouring addresses."""
    fused = sch.fuse(*sch.get_loops(block)[outside:])
    _, z, y, x = sch.split(fused, [None, threads_oc, threads_h, threads_w])
    for axis, loop in zip(AXES, (z, y, x), strict=True):
        sch.bind(loop, f"threadIdx.{axis}")


def launch(sch: Schedule) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """(blocks, threads of a block) along x, y, z."""
    extents = {f"{kind}.{axis}": 1 for kind in ("blockIdx", "threadIdx") for axis in "xyz"}
    for loop in sch.get_loops(sch.get_sblock("result")):
        bound = sch.get(loop)
        if bound.thread_binding is not None:
            extents[bound.thread_binding.thread_tag] = int(bound.extent)
    blocks, threads = (tuple(extents[f"{kind}.{axis}"] for axis in "xyz") for kind in ("blockIdx", "threadIdx"))
    return blocks, threads  # type: ignore[return-value]
