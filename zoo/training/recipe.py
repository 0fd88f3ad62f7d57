"""Training recipes: what a run is, apart from its data. TOML in zoo/recipes/, one per bundled checkpoint, and more."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ZooError
from ..files import get

STAGES = 5
SOURCES = 3  # frames, photos, rooms
WARM_UP = 0.02
FLOOR = 0.002


@dataclass(frozen=True)
class Phase:
    """`samples` images of `side` x `side` in batches of `batch`, through the decoder's first `stages` stages.

    A step through fewer than all five stages ends in a head of its own, on a coarser map, and costs less. Every `whole`th
    step goes through all five, so that the last stages keep up with the rest (0: none does). `shares`, where there are
    any, replace the recipe's. A `frozen` phase normalises by running statistics; `zoom_power` and `blend` are those of
    zoo.data.stream.batch.
    """

    side: int
    batch: int
    samples: int
    stages: int = STAGES
    whole: int = 0
    shares: tuple[float, ...] = ()
    frozen: bool = False
    zoom_power: float = 1.0
    blend: float = 0.0

    def __repr__(self) -> str:
        """What runs are told apart by: fields that came later appear only where they are used."""
        later = f", shares={self.shares}" if self.shares else ""
        later += f", frozen={self.frozen}" if self.frozen else ""
        later += f", zoom_power={self.zoom_power}" if self.zoom_power != 1 else ""
        later += f", blend={self.blend}" if self.blend else ""
        return (
            f"Phase(side={self.side}, batch={self.batch}, samples={self.samples}, stages={self.stages}, "
            f"whole={self.whole}{later})"
        )


@dataclass(frozen=True)
class Recipe:
    """Phases in turn; peak rates of AdamW and (for matrices) Muon; weight decay of AdamW; how a batch is dealt out to
    frames, photos and rooms; how far colours are varied (1: as published); whether to multiply in bfloat16; seed."""

    phases: tuple[Phase, ...]
    rate: float = 3e-3
    matrix_rate: float = 0.02
    decay: float = 1e-2
    shares: tuple[float, ...] = (0.45, 0.55, 0.1)
    jitter: float = 1.0
    mixed: bool = False
    seed: int = 0

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """A recipe from a TOML file with these fields. Raises ZooError for anything else."""
        try:
            fields = tomllib.loads(get(path).decode())
            phases = tuple(Phase(**_shared(phase)) for phase in fields.pop("phases"))
            made = cls(phases, **_shared(fields))
            for phase in phases:
                if phase.side % 32 or min(phase.side, phase.batch, phase.samples, phase.whole + 1) < 1:
                    raise ZooError(f"{path}: {phase}: side a multiple of 32, batch and samples positive")
                if not phase.zoom_power > 0:
                    raise ZooError(f"{path}: {phase}: zoom_power above 0")
                if not 0 <= phase.blend <= 1:
                    raise ZooError(f"{path}: {phase}: blend from 0 to 1")
                if not 1 <= phase.stages <= STAGES:
                    raise ZooError(f"{path}: {phase}: stages from 1 to {STAGES}")
            for shares in (made.shares, *(phase.shares for phase in phases if phase.shares)):
                if len(shares) != SOURCES or min(shares) < 0:
                    raise ZooError(f"{path}: shares {shares}: one each for frames, photos and rooms, 0 or more")
            return made
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            # TOML that is none is a ValueError
            raise ZooError(f"{path}: not a recipe ({error})") from error

    def steps(self) -> Iterator[tuple[Phase, int, float]]:
        """(phase, stages, share of the peak rate) per step: warm-up, then a cosine to nearly 0 over all pixels seen."""
        total = sum(phase.samples * phase.side**2 for phase in self.phases)
        seen = 0
        for phase in self.phases:
            for step in range(phase.samples // phase.batch):
                whole = phase.whole and step % phase.whole == 0
                part = seen / total
                warm = min(1.0, part / WARM_UP + 0.01)
                yield phase, STAGES if whole else phase.stages, warm * (0.5 * (1 + math.cos(math.pi * part)) + FLOOR)
                seen += phase.batch * phase.side**2


def _shared(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a recipe or phase with its shares, where it has some, as numbers."""
    return fields | ({"shares": tuple(map(float, fields["shares"]))} if "shares" in fields else {})
