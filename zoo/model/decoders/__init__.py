"""Decoders: features at a 32nd of the side in, features at the full side out, in five stages. One file a family."""

from __future__ import annotations

from ..walk import DecoderFamily
from .deconv import DECODERS as _DECONV
from .nnconv import DECODERS as _NNCONV
from .unpool import DECODERS as _UNPOOL

DECODERS: dict[str, DecoderFamily] = _NNCONV | _DECONV | _UNPOOL
