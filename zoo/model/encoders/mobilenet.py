"""MobileNet v1 (Howard et al. 2017, arXiv:1704.04861) without its classifier: a 3x3 stem and 13 separable blocks.

At a side of 224 the blocks give sides 112 112 56 56 28 28 14 14 14 14 14 14 7 7.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..walk import EncoderFamily, Features, Walk

STRIDES = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)  # table 1 of the paper


def mobilenet(walk: Walk, widths: Sequence[int]) -> list[Features]:
    """The result of every block, of these widths."""
    x = walk.conv("encoder.0", walk.image, widths[0], 3, stride=STRIDES[0], activation="relu6")
    blocks = [x]
    for i in range(1, len(STRIDES)):
        x = walk.depthwise(f"encoder.{i}.depthwise", x, 3, stride=STRIDES[i], activation="relu6")
        x = walk.conv(f"encoder.{i}.pointwise", x, widths[i], 1, activation="relu6")
        blocks.append(x)
    return blocks


MOBILENET = EncoderFamily(len(STRIDES), mobilenet)
