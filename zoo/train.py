"""Training from scratch: measured depth where there is some, a teacher's predictions elsewhere.

A run that stops, however rudely, goes on from its last saved state as if it had never stopped: same bits in the end.
"""

from __future__ import annotations

import copy
import csv
import math
import time
import tomllib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import checkpoint, image, metrics
from .data import nyu
from .data.stream import Labelled, Taught, batch
from .errors import ZooError
from .network import FastDepth, initialise
from .variant import Variant

AVERAGE = 0.999  # decay of the averaged weights, which are the ones evaluated and kept
SAVE_SECONDS = 120
STATE = "state.pt"


@dataclass(frozen=True)
class Recipe:
    """What a run is, apart from its data: phases of (side, batch size, samples), peak learning rate, seed."""

    phases: tuple[tuple[int, int, int], ...]
    rate: float = 3e-3
    decay: float = 1e-2
    seed: int = 0

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """A recipe from a TOML file with these fields. Raises ZooError for anything else."""
        try:
            fields = tomllib.loads(path.read_text())
            phases = tuple((int(side), int(size), int(samples)) for side, size, samples in fields.pop("phases"))
            if any(side % 32 or min(side, size, samples) < 1 for side, size, samples in phases):
                raise ZooError(f"{path}: phases are [side, batch size, samples], sides multiples of 32")
            return cls(phases, **fields)
        except OSError as error:
            raise ZooError(f"{path}: {error.strerror or error}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise ZooError(f"{path}: not a recipe ({error})") from error

    def steps(self) -> Iterator[tuple[int, int, float]]:
        """(side, batch size, learning rate) per step: warm-up over 2 %, then a cosine over all samples to nearly 0."""
        total = sum(samples for _, _, samples in self.phases)
        seen = 0
        for side, size, samples in self.phases:
            for _ in range(samples // size):
                part = seen / total
                yield (
                    side,
                    size,
                    self.rate * min(1, part / 0.02 + 0.01) * (0.5 * (1 + math.cos(math.pi * part)) + 0.002),
                )
                seen += size


def loss(predicted: Tensor, target: Tensor) -> Tensor:
    """L1 on depth + half of L1 on log depth + half of L1 on the depth's differences, over known pixels."""
    known = target > 0
    error = torch.where(known, predicted - target, 0.0)
    logs = torch.where(known, predicted.clamp(min=0.05).log() - target.clamp(min=0.05).log(), 0.0)
    across = torch.where(known[..., 1:] & known[..., :-1], error[..., 1:] - error[..., :-1], 0.0)
    down = torch.where(known[..., 1:, :] & known[..., :-1, :], error[..., 1:, :] - error[..., :-1, :], 0.0)
    return error.abs().mean() + 0.5 * logs.abs().mean() + 0.5 * (across.abs().mean() + down.abs().mean())


@torch.no_grad()
def validate(network: FastDepth, pairs: Sequence[tuple[Path, Path]]) -> dict[str, float]:
    """Mean metrics over the frames; published recipe, mask 0 < depth < 9.9 m."""
    network.eval()
    rows = []
    for pair in pairs:
        frame, depth = nyu.load(pair)
        target = image.published_depth(depth)
        predicted = network(torch.from_numpy(image.published(frame))[None])[0, 0].numpy()
        rows.append(metrics.measure(predicted, target, (target > 0) & (target < 9.9)))
    return metrics.mean(rows)


Tick = Callable[[str, int, int], None]


class Run:
    """Everything that a run is at some step, and so everything that its state file holds."""

    def __init__(self, variant: Variant, recipe: Recipe, out: Path) -> None:
        """Begin afresh, or go on from `out`/state.pt. Raises ZooError if that is the state of another run."""
        self.recipe, self.out = recipe, out
        self.rng = torch.Generator().manual_seed(recipe.seed)
        self.network = FastDepth(variant)
        initialise(self.network, self.rng)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), recipe.rate, weight_decay=recipe.decay)
        self.steps, self.seconds = 0, 0.0
        self.of = f"{variant.name} {recipe}"
        out.mkdir(parents=True, exist_ok=True)
        if (out / STATE).exists():
            self._restore(torch.load(out / STATE, weights_only=True))

    def _restore(self, state: dict[str, Any]) -> None:
        if state["of"] != self.of:
            raise ZooError(f"{self.out / STATE}: belongs to another run; choose another folder or delete it")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.set_state(state["rng"])
        self.steps, self.seconds = state["steps"], state["seconds"]

    def save(self, scores: dict[str, float]) -> None:
        """Leave the averaged weights as a checkpoint folder, and the whole state, each file whole or not at all."""
        checkpoint.save(self.average, self.out, {"run": self.of, "steps": self.steps, "validation": scores})
        parts = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer")}
        state = parts | {"rng": self.rng.get_state(), "steps": self.steps, "seconds": self.seconds, "of": self.of}
        partial = self.out / f"{STATE}.partial"
        torch.save(state, partial)
        partial.replace(self.out / STATE)

    def step(self, images: Tensor, depths: Tensor, rate: float) -> float:
        """One step of the optimiser and of the average; the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        value = loss(self.network(images.to(memory_format=torch.channels_last)), depths)
        self.optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.steps += 1
        decay = min(AVERAGE, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for kept, fresh in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if kept.dtype.is_floating_point:
                    kept.lerp_(fresh, 1 - decay)
        return value.item()


def train(
    variant: Variant,
    recipe: Recipe,
    frames: Path,
    photos: Sequence[Path],
    teacher: FastDepth | None,
    out: Path,
    tick: Tick = lambda *_: None,
) -> dict[str, float]:
    """Train `variant` into a checkpoint folder `out` with its `log.csv`; the metrics on the frames held out.

    The last frames by index are held out. `photos` are labelled by `teacher`, once, as seen whole.
    """
    pairs = nyu.pairs(frames)
    held_out, pairs = pairs[-nyu.VALIDATION :], pairs[: -nyu.VALIDATION]
    if not pairs:
        raise ZooError(
            f"{frames}: {len(held_out)} frames; more than {nyu.VALIDATION} are needed, as those are held out"
        )
    sources: list[Labelled | Taught] = [Labelled(pairs)]
    if teacher is not None and photos:
        sources.append(Taught(photos, teacher.eval()))

    run = Run(variant, recipe, out)
    schedule = list(recipe.steps())
    losses: deque[float] = deque(maxlen=200)
    scores: dict[str, float] = {}
    saved = time.monotonic()
    for side, size, rate in schedule[run.steps :]:
        losses.append(run.step(*batch(sources, size, side, run.rng), rate))
        if time.monotonic() - saved > SAVE_SECONDS or run.steps == len(schedule):
            run.seconds += time.monotonic() - saved
            saved = time.monotonic()
            scores = validate(run.average, held_out)
            run.save(scores)
            _log(out / "log.csv", run, float(np.mean(losses)), scores)
        what = f"loss {np.mean(losses):.3f}" + (f", delta1 {scores['delta1']:.3f}" if scores else "")
        tick(what, run.steps, len(schedule))
    return scores or validate(run.average, held_out)


def _log(path: Path, run: Run, running: float, scores: dict[str, float]) -> None:
    row = {"steps": run.steps, "seconds": round(run.seconds), "loss": round(running, 4)}
    row |= {name: round(value, 4) for name, value in scores.items()}
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if not file.tell():
            writer.writeheader()
        writer.writerow(row)
