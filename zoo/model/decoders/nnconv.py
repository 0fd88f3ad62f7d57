"""A convolution, then the sides double by interpolation.

nnconv5 is FastDepth's (Wofk et al. 2019, arXiv:1903.03273): per stage 5x5 depthwise, 1x1, nearest x2, then the skip. The
others are those its study compares.
"""

from __future__ import annotations

from functools import partial

from ..walk import DecoderFamily, Features, Walk


def separable(walk: Walk, name: str, x: Features, width: int, *, kernel_size: int) -> Features:
    """A depthwise layer, then a pointwise layer."""
    return walk.conv(f"{name}.pointwise", walk.depthwise(f"{name}.depthwise", x, kernel_size), width, 1)


def dense(walk: Walk, name: str, x: Features, width: int, *, kernel_size: int) -> Features:
    """One convolution across all channels."""
    return walk.conv(name, x, width, kernel_size)


DECODERS = {
    "nnconv5": DecoderFamily(partial(separable, kernel_size=5), after="nearest"),
    "nnconv5_dense": DecoderFamily(partial(dense, kernel_size=5), after="nearest"),
    "nnconv3": DecoderFamily(partial(separable, kernel_size=3), after="nearest"),
    "nnconv3_dense": DecoderFamily(partial(dense, kernel_size=3), after="nearest"),
    "blconv5_dense": DecoderFamily(partial(dense, kernel_size=5), after="bilinear"),
}
