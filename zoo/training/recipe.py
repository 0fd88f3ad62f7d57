"""Training recipes: what a run is, apart from its data. TOML in zoo/recipes/, one per bundled checkpoint, and more."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..data.sources import SOURCES
from ..errors import ZooError
from ..files import read_bounded
from . import recipe_v1

VERSION = 2  # of the fields; version 1 is converted when it is read
STAGES = 5
WARM_UP = 0.02
FLOOR = 0.002
KINDS: dict[object, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}


@dataclass(frozen=True)
class Phase:
    """`samples` images of `side` x `side` in batches of `batch`, through the decoder's first `stages` stages.

    A step through fewer than all five stages ends in a head of its own, on a coarser map, and costs less. Every
    `full_decoder_every`th step goes through all five, so that the last stages keep up with the rest (0: none does).
    `sampling_weights`, where there are any, replace the recipe's. With `freeze_bn` batch normalisation uses its running
    statistics and leaves them as they are. `scale_bias` and `mixup` are those of zoo.data.stream.batch.
    """

    side: int
    batch: int
    samples: int
    stages: int = STAGES
    full_decoder_every: int = 0
    sampling_weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    freeze_bn: bool = False
    scale_bias: float = 1.0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        _check_types(self)
        if self.side % 32 or min(self.side, self.batch, self.samples, self.full_decoder_every + 1) < 1:
            raise ZooError(f"{self}: side a multiple of 32, batch and samples positive")
        if not self.scale_bias > 0:
            raise ZooError(f"{self}: scale_bias above 0")
        if not 0 <= self.mixup <= 1:
            raise ZooError(f"{self}: mixup from 0 to 1")
        if not 1 <= self.stages <= STAGES:
            raise ZooError(f"{self}: stages from 1 to {STAGES}")
        if self.sampling_weights:
            _check_weights(self.sampling_weights)


@dataclass(frozen=True)
class Recipe:
    """Phases in turn; peak learning rates of AdamW (`lr`) and, for matrices, Muon; weight decay of AdamW; the shares of a
    batch that sources get (zoo.data.sources); how far colours are varied (1: as published); whether to multiply in
    bfloat16 (automatic mixed precision); seed."""

    phases: tuple[Phase, ...]
    lr: float = 3e-3
    muon_lr: float = 0.02
    weight_decay: float = 1e-2
    sampling_weights: Mapping[str, float] = field(
        default_factory=lambda: {"frames": 0.45, "photos": 0.55, "rooms": 0.1}, hash=False
    )
    color_jitter: float = 1.0
    amp: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _check_types(self)
        _check_weights(self.sampling_weights)

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """A recipe from a TOML file with these fields. Raises ZooError for anything else."""
        content = read_bounded(path)
        try:
            return cls.parse(tomllib.loads(content.decode()))
        except ZooError as error:
            raise ZooError(f"{path}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ZooError(f"{path}: not a recipe ({error})") from error

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Recipe:
        """A recipe from its fields, of this version or of version 1, which says no version. Raises ZooError."""
        try:
            found = dict(record)
            version = found.pop("version", 1)
            if version == 1:
                found = recipe_v1.converted(found)
            elif version != VERSION:
                raise ZooError(f"a recipe of version {version!r}; versions 1 and {VERSION} are read")
            phases = tuple(Phase(**phase) for phase in found.pop("phases"))
            return cls(phases, **found)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ZooError(f"not a recipe ({error})") from error

    def record(self) -> dict[str, Any]:
        """The fields as plain data; `parse` reads them."""
        return {"version": VERSION, **asdict(self)}

    def steps(self) -> Iterator[tuple[Phase, int, float]]:
        """(phase, stages, share of the peak learning rate) per step: warm-up, then a cosine to nearly 0 over all pixels
        seen."""
        total = sum(phase.samples * phase.side**2 for phase in self.phases)
        seen = 0
        for phase in self.phases:
            for step in range(phase.samples // phase.batch):
                full = phase.full_decoder_every and step % phase.full_decoder_every == 0
                part = seen / total
                warm = min(1.0, part / WARM_UP + 0.01)
                yield phase, STAGES if full else phase.stages, warm * (0.5 * (1 + math.cos(math.pi * part)) + FLOOR)
                seen += phase.batch * phase.side**2


def _check_types(record: Phase | Recipe) -> None:
    """Raise ZooError for a number that is none, or not finite."""
    for each in fields(record):
        value, kinds = getattr(record, each.name), KINDS.get(each.type)
        if kinds and (type(value) not in kinds or not math.isfinite(value)):
            raise ZooError(f"{each.name} = {value!r}: expected {each.type}")


def _check_weights(weights: Mapping[str, float]) -> None:
    if not weights.keys() <= SOURCES.keys() or not 0 <= min(weights.values()) <= max(weights.values()) > 0:
        raise ZooError(f"sampling_weights {weights}: names of {', '.join(SOURCES)}, each with 0 or more, not all 0")
