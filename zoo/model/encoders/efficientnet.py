"""EfficientNet-Lite (Tan & Le 2019, arXiv:1905.11946; Google's Lite variant) without its classifier: a 3x3 stem and blocks
of inverted residuals.

A block widens six times by a 1x1 layer, filters each channel, and narrows by a linear 1x1 layer; within a stage it adds
what it was given. Blocks have widths; what is inside follows from them. The ImageNet weights take (255 x - 127) / 128: so
the stem pads with what that makes zero, 127/255.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..walk import EncoderFamily, Features, Walk

# kernel size, stride of the first block, expansion, blocks; standard widths 16 24 40 80 112 192 320 after a stem of 32
STAGES = ((3, 1, 1, 1), (3, 2, 6, 2), (5, 2, 6, 2), (3, 2, 6, 3), (5, 1, 6, 3), (5, 2, 6, 4), (3, 1, 6, 1))
EPS = 1e-3


def inverted_residual(
    walk: Walk, name: str, x: Features, width: int, kernel_size: int, stride: int, expansion: int, *, add: bool
) -> Features:
    """Expand, filter, project; `add`: and what was given."""
    y = x
    if expansion > 1:
        y = walk.conv(f"{name}.expand", x, expansion * x.channels, 1, activation="relu6", eps=EPS)
    y = walk.depthwise(f"{name}.depthwise", y, kernel_size, stride=stride, activation="relu6", eps=EPS)
    return walk.conv(f"{name}.project", y, width, 1, activation=None, residual=x if add else None, eps=EPS)


def efficientnet(walk: Walk, widths: Sequence[int]) -> list[Features]:
    """The result of the stem and of every block, of these widths."""
    found = [walk.conv("encoder.0", walk.image, widths[0], 3, stride=2, activation="relu6", eps=EPS)]
    for kernel_size, stride, expansion, count in STAGES:
        for i in range(count):
            name, width = f"encoder.{len(found)}", widths[len(found)]
            sizes = (kernel_size, stride if i == 0 else 1, expansion)
            found.append(inverted_residual(walk, name, found[-1], width, *sizes, add=i > 0))
    return found


EFFICIENTNET_LITE0 = EncoderFamily(1 + sum(count for *_, count in STAGES), efficientnet, mean=127 / 255, std=128 / 255)
