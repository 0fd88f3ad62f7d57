"""Processor cores by the compiler's name for them: how to tell one, what speed depends on, and which are near each other."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent / "cores.toml"
UNRELATED = 1000  # generations apart, where the lines of descent differ


@dataclass(frozen=True)
class Core:
    """A kind of core: a line of cores.toml, where the keys are explained."""

    name: str
    vendor: str
    models: tuple[str, ...]
    line: str
    generation: int
    fma: tuple[int, int]
    l1d: int
    l2: int
    family: int = 0
    flag: str = ""

    def is_called(self, vendor: str, family: int, model: int, flags: frozenset[str]) -> bool:
        """Whether a machine that says so of itself has these cores."""
        spans = ([int(end, 0) for end in span.split("-")] for span in self.models)
        mine = any(span[0] <= model <= span[-1] for span in spans)
        return mine and (vendor, family) == (self.vendor, self.family) and (not self.flag or self.flag in flags)

    def vectors(self, bits: int) -> float:
        """Multiply-adds of vectors of so many bits that a core begins in a cycle: with their latency, how many accumulators
        keep it busy."""
        units, width = self.fma
        return units * min(1.0, width / bits)


@cache
def cores() -> dict[str, Core]:
    """Every core that the table knows, by name."""
    lines = tomllib.loads(TABLE.read_text())["cores"]
    return {line["name"]: Core(**line | {"models": tuple(line["models"]), "fma": tuple(line["fma"])}) for line in lines}


def named(vendor: str, family: int, model: int, flags: frozenset[str]) -> str | None:
    """The core of a machine that says so of itself, or None where the table does not know it."""
    return next((core.name for core in cores().values() if core.is_called(vendor, family, model, flags)), None)


def nearest(to: str, among: Iterable[str], bits: int) -> list[str]:
    """Those cores whose settings suit another one, nearest first, for kernels with vectors of so many bits.

    Near is a core that begins as many multiply-adds of such vectors in a cycle, as that says how many accumulators a tile
    needs: no other is near, and of a core that the table does not know none is. Of several, first those of the same line
    of descent, by generations between; then those with caches of the likest size; then by name.
    """
    known = cores()
    if to not in known:
        return []
    here = known[to]

    def key(name: str) -> tuple[float, ...]:
        there = known[name]
        apart = abs(there.generation - here.generation) if there.line == here.line else UNRELATED
        return (apart, _ratio(there.l1d, here.l1d), _ratio(there.l2, here.l2))

    alike = [n for n in sorted(set(among)) if n in known and known[n].vectors(bits) == here.vectors(bits)]
    return sorted((name for name in alike if name != to), key=key)


def _ratio(one: int, other: int) -> float:
    return max(one, other) / min(one, other)
