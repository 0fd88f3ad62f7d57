"""Residual encoders (He et al. 2016, arXiv:1512.03385) without their classifiers.

A 7x7 stem and a maximum pool, each halving the side; residual blocks in four stages, all but the first of which begin by
halving; and a 1x1 convolution to the width that the decoder takes. `widths` are those of all of these in order: 64 64, the
blocks', 1024.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ..walk import EncoderFamily, Features, Walk

BASIC, BOTTLENECK = (2, 2, 2, 2), (3, 4, 6, 3)  # blocks of each stage


def basic(walk: Walk, name: str, x: Features, width: int, stride: int, *, project: bool) -> Features:
    """Two 3x3 layers, and what they were given added: through a 1x1 layer where the shape changes."""
    y = walk.conv(f"{name}.body.0", x, width, 3, stride=stride)
    if not project:
        return walk.conv(f"{name}.body.1", y, width, 3, residual=x)
    y = walk.conv(f"{name}.body.1", y, width, 3, activation=None)
    return walk.conv(f"{name}.shortcut", x, width, 1, stride=stride, residual=y)


def bottleneck(walk: Walk, name: str, x: Features, width: int, stride: int, *, project: bool) -> Features:
    """A 1x1 layer to a quarter of the width, a 3x3 layer, which strides, and a 1x1 layer back; the sum as above."""
    inner = max(1, width // 4)
    y = walk.conv(f"{name}.body.0", x, inner, 1)
    y = walk.conv(f"{name}.body.1", y, inner, 3, stride=stride)
    if not project:
        return walk.conv(f"{name}.body.2", y, width, 1, residual=x)
    y = walk.conv(f"{name}.body.2", y, width, 1, activation=None)
    return walk.conv(f"{name}.shortcut", x, width, 1, stride=stride, residual=y)


def resnet(
    walk: Walk, widths: Sequence[int], *, block: Callable[..., Features], stages: Sequence[int], project: bool
) -> list[Features]:
    """The result of every part, of these widths; `project`: the first block changes the width."""
    x = walk.conv("encoder.0", walk.image, widths[0], 7, stride=2)
    y = walk.pool("encoder.1", x, 3, stride=2)
    found = [x, y]
    for stage, count in enumerate(stages):
        for i in range(count):
            first = i == 0 and (stage > 0 or project)
            stride = 2 if first and stage > 0 else 1
            name = f"encoder.{len(found)}"
            found.append(block(walk, name, found[-1], widths[len(found)], stride, project=first))
    last = walk.conv(f"encoder.{len(found)}", found[-1], widths[-1], 1, activation=None, norm=False)
    return [*found, last]


RESNET18 = EncoderFamily(3 + sum(BASIC), partial(resnet, block=basic, stages=BASIC, project=False))
RESNET50 = EncoderFamily(3 + sum(BOTTLENECK), partial(resnet, block=bottleneck, stages=BOTTLENECK, project=True))
