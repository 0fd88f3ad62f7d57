"""Which widths to try next. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ZooError
from ..variant import Variant
from .cost import Cost
from .widths import blocks, groups, resized

SHARES = 512  # how finely `uniform` divides the widths


@dataclass(frozen=True)
class Proposal:
    """A group of blocks made narrower, the variant that gives, and what that costs."""

    group: tuple[str, ...]
    before: int
    width: int
    variant: Variant
    cost: float


def proposals(variant: Variant, cost: Cost, target: float, multiple: int) -> list[Proposal]:
    """For every group of blocks the largest width, a multiple of `multiple`, with which the whole costs at most `target`.

    A group that cannot get there by itself is left out.
    """
    found, widths = [], blocks(variant)
    for group in groups(variant):
        before = widths[group[0]]
        for width in range((before - 1) // multiple * multiple, 0, -multiple):
            made = resized(variant, dict.fromkeys(group, width))
            if (price := cost(made)) <= target:
                found.append(Proposal(group, before, width, made, price))
                break
    return found


def uniform(variant: Variant, cost: Cost, target: float, multiple: int) -> Variant:
    """All widths by one factor, each rounded up to a multiple: the largest that costs at most `target`."""
    for share in range(SHARES, 0, -1):
        widths = {
            block: min(width, -(-width * share // (SHARES * multiple)) * multiple)
            for block, width in blocks(variant).items()
        }
        made = resized(variant, widths)
        if cost(made) <= target:
            return made
    raise ZooError(f"{variant.name}: costs more than that at any width")
