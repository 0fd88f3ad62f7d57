"""The one walk of a variant: its layers in order, its blocks, and which widths are tied. No torch, no numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import ZooError
from .decoders import DECODERS
from .encoders import ENCODERS
from .walk import Features, Layer, Walk

if TYPE_CHECKING:
    from ..variant import Variant


@dataclass(frozen=True)
class Architecture:
    """A variant's layers in the order in which they run, at the size of its input.

    Blocks are what a variant's widths belong to: encoder.0 …, decoder.1 …, and the head. A group is the layers whose
    channels are tied, by a sum or one to one; the group of a block has the name of the first block in it.
    """

    layers: tuple[Layer, ...]
    blocks: Mapping[str, str]  # block -> the group that its result is of
    widths: Mapping[str, int]  # group -> channels

    def block(self, name: str) -> tuple[Layer, ...]:
        """The layers of one block."""
        return tuple(layer for layer in self.layers if layer.name == name or layer.name.startswith(f"{name}."))


@lru_cache(maxsize=256)
def architecture(variant: Variant) -> Architecture:
    """The walk of a variant. Raises ZooError where what is added or concatenated does not fit."""
    walk = Walk(*variant.input)
    try:
        blocks = _walked(walk, variant)
    except ZooError as error:
        raise ZooError(f"variant {variant.name}: {error}") from error
    return _named(walk, {name: features.groups[0] for name, features in blocks.items()})


def _walked(walk: Walk, variant: Variant) -> dict[str, Features]:
    """{block: its result}: encoder, decoder with skips, head."""
    decoder, skips = DECODERS[variant.decoder], {stage: layer for layer, stage in variant.skips}
    encoded = ENCODERS[variant.encoder].walk(walk, variant.encoder_widths)
    blocks = {f"encoder.{i}": features for i, features in enumerate(encoded)}
    x = encoded[-1]
    for stage, width in enumerate(variant.decoder_widths, start=1):
        x = walk.upsample(x, decoder.before) if decoder.before else x
        x = decoder.walk(walk, f"decoder.{stage}", x, width)
        x = walk.upsample(x, decoder.after) if decoder.after else x
        blocks[f"decoder.{stage}"] = x
        if stage in skips:
            x = (walk.add if variant.skip == "add" else walk.concat)(x, encoded[skips[stage]])
    return blocks | {"head": walk.conv("head", x, 1, 1)}


def _named(walk: Walk, blocks: Mapping[str, str]) -> Architecture:
    """What was walked, each group of a block's result named after the first block in it."""
    names: dict[str, str] = {}
    for block, group in blocks.items():
        names.setdefault(walk.ties.get(group, group), block)

    def name(group: str) -> str:
        tied = walk.ties.get(group, group)
        return names.get(tied, tied)

    layers = tuple(
        replace(layer, in_groups=tuple(map(name, layer.in_groups)), out_groups=tuple(map(name, layer.out_groups)))
        for layer in walk.layers
    )
    widths = {name(group): width for group, width in walk.widths.items()}
    return Architecture(layers, {block: name(group) for block, group in blocks.items()}, widths)
