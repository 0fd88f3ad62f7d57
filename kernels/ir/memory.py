"""Where tensors live: one arena, in which tensors that are never needed at once share their bytes."""

from __future__ import annotations

from collections.abc import Mapping

LINE = 64  # bytes of a cache line


def arrange(sizes: Mapping[str, int], lifetimes: Mapping[str, tuple[int, int]]) -> tuple[dict[str, int], int]:
    """(offset of every tensor, bytes of the arena): largest first, each at the lowest offset free for its whole life.

    Lifetimes are inclusive, so a step's result never shares bytes with what the step reads.
    """
    offsets: dict[str, int] = {}
    for name in sorted(sizes, key=lambda n: (-sizes[n], n)):
        first, last = lifetimes[name]
        offset = 0
        for other in sorted(offsets, key=offsets.__getitem__):
            begin, end = lifetimes[other]
            together = begin <= last and first <= end
            if together and offsets[other] < offset + sizes[name] and offset < offsets[other] + sizes[other]:
                offset = -(-(offsets[other] + sizes[other]) // LINE) * LINE
        offsets[name] = offset
    return offsets, max((offsets[name] + sizes[name] for name in sizes), default=0)
