"""Convolutions after unpooling, which puts every pixel at the top left of four."""

from __future__ import annotations

from functools import partial

from ..walk import DecoderFamily, Features, Walk
from .nnconv import dense


def projection(walk: Walk, name: str, x: Features, width: int) -> Features:
    """The up-projection of Laina et al. 2016 (arXiv:1606.00373): 5x5 and 3x3 layers, beside them a 5x5 layer, summed."""
    y = walk.conv(f"{name}.body.0", x, width, 5)
    y = walk.conv(f"{name}.body.1", y, width, 3, activation=None)
    return walk.conv(f"{name}.projection", x, width, 5, residual=y)


DECODERS = {
    "upconv": DecoderFamily(partial(dense, kernel_size=5), before="unpool"),
    "upproj": DecoderFamily(projection, before="unpool"),
}
