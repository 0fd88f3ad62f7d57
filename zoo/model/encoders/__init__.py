"""Encoders: image in, features at a 32nd of its side out, with blocks that a decoder's skips may take. One file each."""

from __future__ import annotations

from ..walk import EncoderFamily
from .efficientnet import EFFICIENTNET_LITE0
from .mobilenet import MOBILENET
from .resnet import RESNET18, RESNET50

ENCODERS: dict[str, EncoderFamily] = {
    "mobilenet": MOBILENET,
    "resnet18": RESNET18,
    "resnet50": RESNET50,
    "efficientnet_lite0": EFFICIENTNET_LITE0,
}
