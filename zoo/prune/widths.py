"""The widths of a variant by block, and which of them must move together. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import ZooError
from ..variant import Variant

DECODERS = ("nnconv5", "nnconv5_dense")


def prunable(variant: Variant) -> Variant:
    """The variant. Raises ZooError if its blocks are not those that pruning knows how to narrow."""
    if variant.encoder != "mobilenet" or variant.decoder not in DECODERS:
        raise ZooError(
            f"{variant.name}: {variant.encoder} with {variant.decoder} cannot be pruned; "
            f"only mobilenet with {' or '.join(DECODERS)} can"
        )
    return variant


def blocks(variant: Variant) -> dict[str, int]:
    """{block: filters} of all that can be pruned, in order: encoder.0 … encoder.13, decoder.1 … decoder.5.

    A depthwise layer has as many filters as the block before it; the head has one.
    """
    encoder = {f"encoder.{i}": width for i, width in enumerate(prunable(variant).encoder_widths)}
    return encoder | {f"decoder.{j}": width for j, width in enumerate(variant.decoder_widths, start=1)}


def groups(variant: Variant) -> tuple[tuple[str, ...], ...]:
    """The blocks in order, those joined by an additive skip as one group: they share width and kept filters."""
    tied = {f"decoder.{stage}": f"encoder.{layer}" for layer, stage in variant.skips} if variant.skip == "add" else {}
    found: dict[str, list[str]] = {}
    for block in blocks(variant):
        found.setdefault(tied.get(block, block), []).append(block)
    return tuple(map(tuple, found.values()))


def resized(variant: Variant, widths: Mapping[str, int], name: str = "", **fields: object) -> Variant:
    """The variant with other widths for some blocks. Raises ZooError if blocks that a skip adds end up different."""
    wanted = blocks(variant) | dict(widths)
    encoder = tuple(wanted[f"encoder.{i}"] for i in range(len(variant.encoder_widths)))
    decoder = tuple(wanted[f"decoder.{j}"] for j in range(1, len(variant.decoder_widths) + 1))
    changes: dict[str, object] = {"name": name or variant.name, "weights": None, "claims": ()} | fields
    return replace(variant, encoder_widths=encoder, decoder_widths=decoder, **changes)  # type: ignore[arg-type]
