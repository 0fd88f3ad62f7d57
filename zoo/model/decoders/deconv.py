"""Transposed convolutions, which double the sides themselves: across all channels, or depthwise before a 1x1 layer."""

from __future__ import annotations

from ..walk import DecoderFamily, Features, Walk


def separable(walk: Walk, name: str, x: Features, width: int) -> Features:
    """A transposed depthwise layer, then a pointwise layer."""
    return walk.conv(f"{name}.pointwise", walk.transposed(f"{name}.depthwise", x, None, 5), width, 1)


def dense(walk: Walk, name: str, x: Features, width: int) -> Features:
    """One transposed convolution across all channels."""
    return walk.transposed(name, x, width, 5)


DECODERS = {"deconv5": DecoderFamily(separable), "deconv5_dense": DecoderFamily(dense)}
