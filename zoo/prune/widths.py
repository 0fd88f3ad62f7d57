"""The widths of a variant by block, and which of them must move together. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..model.architecture import architecture
from ..variant import Variant


def blocks(variant: Variant) -> dict[str, int]:
    """{block: filters} of all that can be pruned, in order: encoder.0 …, decoder.1 … decoder.5.

    Widths inside a block follow from these; the head has one filter.
    """
    encoder = {f"encoder.{i}": width for i, width in enumerate(variant.encoder_widths)}
    return encoder | {f"decoder.{j}": width for j, width in enumerate(variant.decoder_widths, start=1)}


def groups(variant: Variant) -> tuple[tuple[str, ...], ...]:
    """The blocks in order, those whose results are added as one group: they share width and kept filters."""
    owner = architecture(variant).blocks
    found: dict[str, list[str]] = {}
    for block in blocks(variant):
        found.setdefault(owner[block], []).append(block)
    return tuple(map(tuple, found.values()))


def resized(variant: Variant, widths: Mapping[str, int], name: str = "", **fields: object) -> Variant:
    """The variant with other widths for some blocks. Raises ZooError if blocks that are added end up different."""
    wanted = blocks(variant) | dict(widths)
    encoder = tuple(wanted[f"encoder.{i}"] for i in range(len(variant.encoder_widths)))
    decoder = tuple(wanted[f"decoder.{j}"] for j in range(1, len(variant.decoder_widths) + 1))
    changes: dict[str, object] = {"name": name or variant.name, "weights": None, "claims": ()} | fields
    return replace(variant, encoder_widths=encoder, decoder_widths=decoder, **changes)  # type: ignore[arg-type]
