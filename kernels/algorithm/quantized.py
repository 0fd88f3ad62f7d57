"""Quantised convolutions: uint8 numbers times int8 weights, summed as integers, rounded to uint8 of another scale.

A real number is its integer times the scale of its tensor (Jacob et al. 2018, arXiv:1712.05877, with zero points of 0, as no
hidden result is negative). Taking a sum to the result's scale is one multiplication in float32, rounded to the nearest,
ties to even: no order of operations and no fused multiply-add is left to choose, so the integers are the same everywhere.

Products are summed in fours, as processors' dot product instructions do; what a four has too many is multiplied by zero.
Operands are x, k, b (int32), m (float32, of each channel), then where something is added skip and r (float32), then y.
"""

from collections.abc import Callable
from typing import Any

from tvm import te, tirx

from ..dtype import F32
from ..ir.workload import Workload
from ..layout import QUAD, blocks, quads

TOP = 255.0  # the largest uint8


def stem(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[o, h, w] = sum over c, dh, dw of round(255 x[c, s h + dh - r, s w + dw - r]) k[o, c, dh, dw], for x in [0, 1]."""
    x = te.placeholder((w.cin, *w.in_sides), F32.tvm, name="x")
    pad = _padded(w, x.shape[0], lambda c, h, v: _rounded(x[c, h, v] * _f32(TOP)))
    c, dh, group, t = _axes(c=w.cin, dh=w.kernel_size, group=quads(w.kernel_size), t=QUAD)

    def term(k: te.Tensor, o: Any, h: Any, v: Any, i: Any) -> Any:
        seen = pad[c, h * w.stride + dh, v * w.stride + group * QUAD + t]
        return _product(w, seen, k[o, c, dh, group, i, t])

    return _blocks(w, lanes, x, (w.cin, w.kernel_size, quads(w.kernel_size)), term, [c, dh, group, t])


def pointwise(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[o, h, w] = sum over c of x[c, h, w] k[o, c]."""
    x = _blocked(w, w.cin, (w.height, w.width), lanes, "x")
    c, t = _axes(c=quads(w.cin), t=QUAD)

    def term(k: te.Tensor, o: Any, h: Any, v: Any, i: Any) -> Any:
        return _product(w, x[c * QUAD // lanes, h, v, (c * QUAD + t) % lanes], k[o, c, i, t])

    return _blocks(w, lanes, x, (quads(w.cin),), term, [c, t])


def conv(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[o, h, w] = sum over c, dh, dw of x[c, s h + dh - r, s w + dw - r] k[o, c, dh, dw],  r = kernel_size // 2."""
    x, skip, r = _blocked(w, w.cin, w.in_sides, lanes, "x"), *_skip(w, lanes)
    pad = _padded(w, x.shape[0], _read(w, x, skip, r), lanes)
    c, dh, dw, t = _axes(c=quads(w.cin), dh=w.kernel_size, dw=w.kernel_size, t=QUAD)

    def term(k: te.Tensor, o: Any, h: Any, v: Any, i: Any) -> Any:
        row, column = h * w.stride + dh, v * w.stride + dw
        return _product(w, pad[c * QUAD // lanes, row, column, (c * QUAD + t) % lanes], k[o, c, dh, dw, i, t])

    reduced = (quads(w.cin), w.kernel_size, w.kernel_size)
    return _blocks(w, lanes, x, reduced, term, [c, dh, dw, t], (skip, r))


def depthwise(w: Workload, lanes: int) -> list[te.Tensor]:
    """conv[c, h, w] = sum over dh, dw of x[c, s h + dh - r, s w + dw - r] k[c, dh, dw],  r = kernel_size // 2."""
    x, skip, r = _blocked(w, w.cin, w.in_sides, lanes, "x"), *_skip(w, lanes)
    pad = _padded(w, x.shape[0], _read(w, x, skip, r), lanes)
    dh, group, t = _axes(dh=w.kernel_size, group=quads(w.kernel_size), t=QUAD)

    def term(k: te.Tensor, o: Any, h: Any, v: Any, i: Any) -> Any:
        seen = pad[o, h * w.stride + dh, v * w.stride + group * QUAD + t, i]
        return _product(w, seen, k[o, dh, group, i, t])

    return _blocks(w, lanes, x, (w.kernel_size, quads(w.kernel_size)), term, [dh, group, t], (skip, r))


def head(w: Workload, lanes: int) -> list[te.Tensor]:
    """y[h, w] = m (sum over c of x[c, h, w] k[c] + b), metres: summed down the blocks first, then across the lanes."""
    count, sums = blocks(w.cin, lanes), w.dtype.accumulator.tvm
    x = _blocked(w, w.cin, (w.height, w.width), lanes, "x")
    k = te.placeholder((count, lanes), w.dtype.weight.tvm, name="k")
    b, m = te.placeholder((1,), sums, name="b"), te.placeholder((1,), F32.tvm, name="m")
    c, i = _axes(c=count, i=lanes)
    partial = te.compute(
        (w.height, w.width, lanes),
        lambda h, v, j: te.sum(_product(w, x[c, h, v, j], k[c, j]), axis=c),
        name="partial",
    )
    total = te.compute((w.height, w.width), lambda h, v: te.sum(partial[h, v, i], axis=i), name="conv")
    factor = 2 if "double" in w.epilogue else 1

    def value(_: Any, h: Any, v: Any) -> Any:
        y = (total[h // factor, v // factor] + b[0]).astype(F32.tvm) * m[0]
        return te.max(y, _f32(0)) if "relu" in w.epilogue else y

    return [x, k, b, m, te.compute((1, *w.out_sides), value, name="result")]


ALGORITHMS: dict[str, Callable[[Workload, int], list[te.Tensor]]] = {
    "stem": stem,
    "depthwise": depthwise,
    "pointwise": pointwise,
    "conv": conv,
    "head": head,
}


def _blocks(
    w: Workload,
    lanes: int,
    x: te.Tensor,
    reduced: tuple[int, ...],
    term: Callable[..., Any],
    axes: list[Any],
    staged: tuple[te.Tensor | None, te.Tensor | None] = (None, None),
) -> list[te.Tensor]:
    """The operands of a result in blocks: what `term` says, summed over the axes, plus the bias, rounded to the result's
    scale; then perhaps doubled, and something added. What was `staged` with the input comes before the result."""
    count, sums = blocks(w.cout, lanes), w.dtype.accumulator.tvm
    k = te.placeholder((count, *reduced, lanes, QUAD), w.dtype.weight.tvm, name="k")
    b, m = te.placeholder((count, lanes), sums, name="b"), te.placeholder((count, lanes), F32.tvm, name="m")
    made = te.compute(
        (count, *w.conv_sides, lanes), lambda o, h, v, i: te.sum(term(k, o, h, v, i), axis=axes), name="conv"
    )
    skip, r = staged if staged[0] is not None else _skip(w, lanes)
    factor = 2 if "double" in w.epilogue else 1

    def value(o: Any, h: Any, v: Any, i: Any) -> Any:
        y = (made[o, h // factor, v // factor, i] + b[o, i]).astype(F32.tvm) * m[o, i]
        y = tirx.nearbyint(_clipped(y))
        if "add" in w.epilogue and skip is not None and r is not None:
            y = te.min(y + _scaled(skip[o, h, v, i], r), _f32(TOP))
        return y.astype(w.dtype.tvm)

    y = te.compute((count, *w.out_sides, lanes), value, name="result")
    return [x, k, b, m, *([] if skip is None else [skip, r]), y]


def _padded(w: Workload, first: Any, value: Callable[..., Any], *lanes: int) -> te.Tensor:
    """What is read, with zeros around it, and on the right as many more as the last four taps of a row may reach."""
    radius, wide = w.kernel_size // 2, w.width + 2 * (w.kernel_size // 2)
    if w.kind != "conv":
        wide += QUAD * quads(w.kernel_size) - w.kernel_size

    def at(b: Any, row: Any, column: Any, *lane: Any) -> Any:
        h, v = row - radius, column - radius
        inside = tirx.all(h >= 0, h < w.height, v >= 0, v < w.width)
        return tirx.if_then_else(inside, value(b, h, v, *lane), tirx.const(0, w.dtype.tvm))

    return te.compute((first, w.height + 2 * radius, wide, *lanes), at, name="padded")


def _read(w: Workload, x: te.Tensor, skip: te.Tensor | None, r: te.Tensor | None) -> Callable[..., Any]:
    """x as the prologue wants it: doubled by reading it at half the row and column, the skip added."""
    factor = w.height // w.in_sides[0]

    def value(b: Any, h: Any, v: Any, i: Any) -> Any:
        seen = x[b, h // factor, v // factor, i]
        if "add" not in w.prologue or skip is None or r is None:
            return seen
        return te.min(seen.astype(F32.tvm) + _scaled(skip[b, h, v, i], r), _f32(TOP)).astype(w.dtype.tvm)

    return value


def _skip(w: Workload, lanes: int) -> tuple[te.Tensor | None, te.Tensor | None]:
    """What is added, and what takes it to the scale of the sum."""
    if w.skip_sides is None:
        return None, None
    channels = w.cin if "add" in w.prologue else w.cout
    return _blocked(w, channels, w.skip_sides, lanes, "skip"), te.placeholder((1,), F32.tvm, name="r")


def _scaled(skip: Any, r: te.Tensor) -> Any:
    return tirx.nearbyint(skip.astype(F32.tvm) * r[0])


def _product(w: Workload, x: Any, k: Any) -> Any:
    return x.astype(w.dtype.accumulator.tvm) * k.astype(w.dtype.accumulator.tvm)


def _blocked(w: Workload, channels: int, sides: tuple[int, int], lanes: int, name: str) -> te.Tensor:
    return te.placeholder((blocks(channels, lanes), *sides, lanes), w.dtype.tvm, name=name)


def _rounded(value: Any) -> Any:
    return tirx.nearbyint(_clipped(value)).astype("uint8")


def _clipped(value: Any) -> Any:
    return te.max(te.min(value, _f32(TOP)), _f32(0))


def _axes(**extents: int) -> list[Any]:
    return [te.reduce_axis((0, extent), name) for name, extent in extents.items()]


def _f32(value: float) -> Any:
    return tirx.const(value, F32.tvm)
