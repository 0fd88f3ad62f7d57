"""Training: measured depth where there is some, a teacher's predictions elsewhere.

A run that stops, however rudely, goes on from its last saved state as if it had never stopped: same bits in the end.
"""

from __future__ import annotations

import csv
import ctypes
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.store import Store
from ..data.stream import batch, deal
from ..errors import ZooError
from ..evaluation.evaluate import EvaluationFrame, evaluate
from ..files import check
from ..model.network import FastDepth
from ..variant import Variant
from ..weights import checkpoint
from . import state
from .distributed import rank_and_size
from .recipe import STAGES, Recipe
from .trainer import CPU, Trainer

SAVE_SECONDS = 180
STATE, LOG = "state.pt", "log.csv"

OnProgress = Callable[[str, int, int], None]


class Run:
    """A training run in its folder: the trainer, and how long it has worked. Its state file holds all of that."""

    def __init__(
        self, variant: Variant, recipe: Recipe, start: FastDepth | None, out: Path, device: torch.device = CPU
    ) -> None:
        """Begin afresh or from a network `start`, or go on from `out`/state.pt. Raises ZooError if that is damaged or the
        state of another run."""
        self.trainer = Trainer(variant, recipe, start, torch.Generator().manual_seed(recipe.seed), device)
        self.variant, self.recipe, self.out, self.seconds = variant, recipe, out, 0.0
        out.mkdir(parents=True, exist_ok=True)
        if (out / STATE).exists():
            self._restore(state.read(out / STATE, device))

    def _restore(self, found: dict[str, Any]) -> None:
        path = self.out / STATE
        try:
            of = (found["variant"], Recipe.parse(found["recipe"]))
            steps, seconds = found["steps"], float(found["seconds"])
            parts = {name: found[name] for name in Trainer.PARTS}
        except (KeyError, TypeError, ValueError, ZooError) as error:
            raise ZooError(f"{path}: not a training state ({error!r}); {state.ADVICE}") from error
        if of != (self.variant.name, self.recipe):
            raise ZooError(f"{path}: belongs to another run; choose another folder or delete it")
        most = len(list(self.recipe.steps()))
        if type(steps) is not int or not 0 <= steps <= most or not 0 <= seconds < float("inf"):
            raise ZooError(f"{path}: says {steps} steps of {most} in {seconds} s; {state.ADVICE}")
        try:
            for name, part in parts.items():
                getattr(self.trainer, name).load_state_dict(part)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise ZooError(
                f"{path}: does not fit {self.variant.name} ({type(error).__name__}); {state.ADVICE}"
            ) from error
        self.trainer.steps, self.seconds = steps, seconds

    def save(self, scores: dict[str, float]) -> None:
        """Leave the averaged weights as a checkpoint folder, and the whole state, each file whole or not at all."""
        recipe, steps = self.recipe.record(), self.trainer.steps
        notes = {"recipe": recipe, "steps": steps, "seconds": round(self.seconds), "validation": scores}
        checkpoint.save(self.trainer.ema.network, self.out, notes)
        parts = {name: getattr(self.trainer, name).state_dict() for name in Trainer.PARTS}
        more = {"steps": steps, "seconds": self.seconds, "variant": self.variant.name, "recipe": recipe}
        state.write(self.out / STATE, parts | more)


def train(
    variant: Variant,
    recipe: Recipe,
    stores: Mapping[str, Store],
    held_out: Sequence[EvaluationFrame],
    out: Path,
    start: FastDepth | None = None,
    on_progress: OnProgress = lambda *_: None,
    device: torch.device = CPU,
) -> dict[str, float]:
    """Train `variant` on the stores into a checkpoint folder `out` with its `log.csv`; the metrics on the held-out.

    Under torchrun every process takes its share of each batch, and the first one saves.
    """
    keep_memory()
    rank, size = rank_and_size()
    dealt = {
        phase: deal(stores, phase.sampling_weights or recipe.sampling_weights, phase.batch // size)
        for phase in recipe.phases
    }
    run = Run(variant, recipe, start, out, device)
    trainer = run.trainer
    schedule = list(recipe.steps())
    losses: deque[float] = deque(maxlen=200)
    scores: dict[str, float] = {}
    saved = time.monotonic()
    for phase, stages, lr_scale in schedule[trainer.steps :]:
        # chance hangs on the step and the process alone, so that a run which goes on sees what it would have seen
        rng = torch.Generator().manual_seed((recipe.seed << 40) + (trainer.steps << 12) + rank)
        seen = batch(dealt[phase], phase, stages, recipe.color_jitter, rng, device)
        losses.append(trainer.step(*seen, stages, lr_scale, freeze_bn=phase.freeze_bn))
        if rank:
            continue
        if time.monotonic() - saved > SAVE_SECONDS or trainer.steps == len(schedule):
            run.seconds += time.monotonic() - saved
            saved = time.monotonic()
            scores = evaluate(trainer.ema.predictor(STAGES if phase.full_decoder_every else phase.stages), held_out)[0]
            run.save(scores)
            _log(out / LOG, run, float(np.mean(losses)), scores)
        what = f"loss {np.mean(losses):.3f}" + (f", delta1 {scores['delta1']:.3f}" if scores else "")
        on_progress(what, trainer.steps, len(schedule))
    return scores or evaluate(trainer.ema.predictor(STAGES), held_out)[0]


def keep_memory() -> None:
    """Tell glibc to keep what it has got from the system: touching fresh pages costs a third of a training step."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, top_pad, mmap_max, arena_max = -1, -2, -4, -8
        for option, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**28), (arena_max, 1)):
            libc.mallopt(option, value)


def _log(path: Path, run: Run, running: float, scores: dict[str, float]) -> None:
    row = {"steps": run.trainer.steps, "seconds": round(run.seconds), "loss": round(running, 4)}
    row |= {name: round(value, 4) for name, value in scores.items()}
    if path.exists():
        check(path)
    with path.open("a+", newline="") as file:
        file.seek(0)
        columns = next(csv.reader(file), None)  # those that the run began with
        writer = csv.DictWriter(file, columns or row, extrasaction="ignore")
        if not columns:
            writer.writeheader()
        writer.writerow(row)
