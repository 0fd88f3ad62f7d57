"""What the algorithms share: placeholders, padding, the epilogue."""

from typing import Any

from tvm import te, tirx

from ..ir.workload import NORMALIZE, Workload
from ..layout import blocks, used


def skip_placeholder(w: Workload, lanes: int) -> te.Tensor | None:
    """The tensor that the workload adds, on reading or on writing, if it adds one."""
    if w.skip_sides is None:
        return None
    channels = w.cin if "add" in w.prologue else w.cout
    return te.placeholder((blocks(channels, lanes), *w.skip_sides, lanes), w.dtype.tvm, name="skip")


def padded(w: Workload, x: te.Tensor, skip: te.Tensor | None, *lanes: int, border: Any = None) -> te.Tensor:
    """prologue(x) with a border of zeros, or of `border`: x doubled by reading it at half the row and column, the skip
    added; of blocks, these lanes."""
    radius, factor, around = w.kernel_size // 2, w.height // w.in_sides[0], _const(w, 0) if border is None else border

    def value(b: Any, row: Any, column: Any, *lane: Any) -> Any:
        h, v = row - radius, column - radius
        inside = tirx.all(h >= 0, h < w.height, v >= 0, v < w.width)
        seen = x[(b, h // factor, v // factor, *lane)]
        if "normalize" in w.prologue:
            mean, std = (_const(w, number) for number in NORMALIZE)
            seen = (seen - mean) / std
        if "add" in w.prologue and skip is not None:
            seen = seen + skip[(b, h, v, *lane)]
        return tirx.if_then_else(inside, seen, around)

    return te.compute((x.shape[0], w.height + 2 * radius, w.width + 2 * radius, *lanes), value, name="padded")


def finish(
    w: Workload, lanes: int, x: te.Tensor, k: te.Tensor, b: te.Tensor, skip: te.Tensor | None, conv: te.Tensor
) -> list[te.Tensor]:
    """y[…] = epilogue(conv[…] + b), doubled by reading conv at half the row and column: the operands [x, k, b, (skip), y].

    conv is (blocks, H, W, lanes used) with a bias per lane, or for a planar result (H, W) with one bias. Lanes that are
    not used become zeros.
    """
    planar = len(conv.shape) == 2
    factor, count = 2 if "double" in w.epilogue else 1, used(w.cout, lanes)
    shape = (1, *w.out_sides) if planar else (conv.shape[0], *w.out_sides, lanes)

    def value(o: Any, h: Any, v: Any, *lane: Any) -> Any:
        at, own = (h // factor, v // factor), [i % count for i in lane] if count < lanes else lane
        y = conv[at] + b[0] if planar else conv[(o, *at, *own)] + b[(o, *own)]
        for name in w.epilogue:
            if name in ("relu", "relu6"):
                y = te.max(y, _const(w, 0))
            if name == "relu6":
                y = te.min(y, _const(w, 6))
            if name == "add" and skip is not None:
                y = y + skip[(o, h, v, *lane)]
        return tirx.if_then_else(lane[0] // count < 1, y, _const(w, 0)) if lane and count < lanes else y

    return [x, k, b, *([] if skip is None else [skip]), te.compute(shape, value, name="result")]


def _const(w: Workload, value: float) -> Any:
    return tirx.const(value, w.dtype.tvm)
