"""Training recipes: what a run is, apart from its data. TOML in zoo/recipes/, one per bundled checkpoint, and more."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..data.sources import SOURCES
from ..errors import ZooError

STAGES = 5
WARM_UP = 0.02
FLOOR = 0.002


@dataclass(frozen=True)
class Phase:
    """`samples` images of `side` x `side` in batches of `batch`, through the decoder's first `stages` stages.

    A step through fewer than all five stages ends in a head of its own, on a coarser map, and costs less. Every `whole`th
    step goes through all five, so that the last stages keep up with the rest (0: none does). `sampling_weights`, where
    there are any, replace the recipe's. A `frozen` phase normalises by running statistics; `zoom_power` and `blend` are
    those of zoo.data.stream.batch.
    """

    side: int
    batch: int
    samples: int
    stages: int = STAGES
    whole: int = 0
    sampling_weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    frozen: bool = False
    zoom_power: float = 1.0
    blend: float = 0.0

    def __repr__(self) -> str:
        """What runs are told apart by: fields that came later appear only where they are used."""
        later = f", sampling_weights={self.sampling_weights}" if self.sampling_weights else ""
        later += f", frozen={self.frozen}" if self.frozen else ""
        later += f", zoom_power={self.zoom_power}" if self.zoom_power != 1 else ""
        later += f", blend={self.blend}" if self.blend else ""
        return (
            f"Phase(side={self.side}, batch={self.batch}, samples={self.samples}, stages={self.stages}, "
            f"whole={self.whole}{later})"
        )


@dataclass(frozen=True)
class Recipe:
    """Phases in turn; peak rates of AdamW and (for matrices) Muon; weight decay of AdamW; the shares of a batch that
    sources get (zoo.data.sources); how far colours are varied (1: as published); whether to multiply in bfloat16; seed."""

    phases: tuple[Phase, ...]
    rate: float = 3e-3
    matrix_rate: float = 0.02
    decay: float = 1e-2
    sampling_weights: Mapping[str, float] = field(
        default_factory=lambda: {"frames": 0.45, "photos": 0.55, "rooms": 0.1}, hash=False
    )
    jitter: float = 1.0
    mixed: bool = False
    seed: int = 0

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """A recipe from a TOML file with these fields. Raises ZooError for anything else."""
        try:
            fields = tomllib.loads(path.read_text())
            phases = tuple(Phase(**phase) for phase in fields.pop("phases"))
            made = cls(phases, **fields)
            for phase in phases:
                if phase.side % 32 or min(phase.side, phase.batch, phase.samples, phase.whole + 1) < 1:
                    raise ZooError(f"{path}: {phase}: side a multiple of 32, batch and samples positive")
                if not phase.zoom_power > 0:
                    raise ZooError(f"{path}: {phase}: zoom_power above 0")
                if not 0 <= phase.blend <= 1:
                    raise ZooError(f"{path}: {phase}: blend from 0 to 1")
                if not 1 <= phase.stages <= STAGES:
                    raise ZooError(f"{path}: {phase}: stages from 1 to {STAGES}")
            for weights in (made.sampling_weights, *(p.sampling_weights for p in phases if p.sampling_weights)):
                if not weights.keys() <= SOURCES.keys() or not 0 <= min(weights.values()) <= max(weights.values()) > 0:
                    raise ZooError(
                        f"{path}: sampling_weights {weights}: names of {', '.join(SOURCES)}, each with 0 or more, not all 0"
                    )
            return made
        except OSError as error:
            raise ZooError(f"{path}: {error.strerror or error}") from error
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
