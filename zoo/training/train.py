"""Training: measured depth where there is some, a teacher's predictions elsewhere.

A run that stops, however rudely, goes on from its last saved state as if it had never stopped: same bits in the end.
"""

from __future__ import annotations

import csv
import ctypes
import io
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
from ..evaluation.evaluate import Judged, evaluate
from ..files import put
from ..model.network import FastDepth
from ..variant import Variant
from ..weights import checkpoint
from .distributed import world
from .learner import CPU, Learner
from .recipe import STAGES, Recipe

SAVE_SECONDS = 180
STATE = "state.pt"

Tick = Callable[[str, int, int], None]


class Run(Learner):
    """Everything that a run is at some step, and so everything that its state file holds."""

    def __init__(
        self, variant: Variant, recipe: Recipe, start: FastDepth | None, out: Path, device: torch.device = CPU
    ) -> None:
        """Begin afresh or from a network `start`, or go on from `out`/state.pt. Raises ZooError if that is the state of
        another run."""
        super().__init__(variant, recipe, start, torch.Generator().manual_seed(recipe.seed), device)
        self.out, self.seconds = out, 0.0
        self.of = f"{variant.name} {recipe}"
        out.mkdir(parents=True, exist_ok=True)
        if (out / STATE).exists():
            self._restore(torch.load(out / STATE, weights_only=True, map_location=device))

    def _restore(self, state: dict[str, Any]) -> None:
        if state["of"] != self.of:
            raise ZooError(f"{self.out / STATE}: belongs to another run; choose another folder or delete it")
        for name in self.PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.steps, self.seconds = state["steps"], state["seconds"]

    def save(self, scores: dict[str, float]) -> None:
        """Leave the averaged weights as a checkpoint folder, and the whole state, each file whole or not at all."""
        notes = {"run": self.of, "steps": self.steps, "seconds": round(self.seconds), "validation": scores}
        checkpoint.save(self.average.network, self.out, notes)
        state = {name: getattr(self, name).state_dict() for name in self.PARTS}
        state |= {"steps": self.steps, "seconds": self.seconds, "of": self.of}
        content = io.BytesIO()
        torch.save(state, content)
        put(self.out / STATE, content.getvalue())


def train(
    variant: Variant,
    recipe: Recipe,
    stores: Mapping[str, Store],
    held_out: Sequence[Judged],
    out: Path,
    start: FastDepth | None = None,
    tick: Tick = lambda *_: None,
    device: torch.device = CPU,
) -> dict[str, float]:
    """Train `variant` on the stores into a checkpoint folder `out` with its `log.csv`; the metrics on the held-out.

    Under torchrun every process takes its share of each batch, and the first one saves.
    """
    keep_memory()
    rank, size = world()
    dealt = {
        phase: deal(stores, phase.sampling_weights or recipe.sampling_weights, phase.batch // size)
        for phase in recipe.phases
    }
    run = Run(variant, recipe, start, out, device)
    schedule = list(recipe.steps())
    losses: deque[float] = deque(maxlen=200)
    scores: dict[str, float] = {}
    saved = time.monotonic()
    for phase, stages, rate in schedule[run.steps :]:
        # chance hangs on the step and the process alone, so that a run which goes on sees what it would have seen
        rng = torch.Generator().manual_seed((recipe.seed << 40) + (run.steps << 12) + rank)
        seen = batch(dealt[phase], phase, stages, recipe.jitter, rng, device)
        losses.append(run.step(*seen, stages, rate, frozen=phase.frozen))
        if rank:
            continue
        if time.monotonic() - saved > SAVE_SECONDS or run.steps == len(schedule):
            run.seconds += time.monotonic() - saved
            saved = time.monotonic()
            scores = evaluate(run.average.view(STAGES if phase.whole else phase.stages), held_out)[0]
            run.save(scores)
            _log(out / "log.csv", run, float(np.mean(losses)), scores)
        what = f"loss {np.mean(losses):.3f}" + (f", delta1 {scores['delta1']:.3f}" if scores else "")
        tick(what, run.steps, len(schedule))
    return scores or evaluate(run.average.view(STAGES), held_out)[0]


def keep_memory() -> None:
    """Tell glibc to keep what it has got from the system: touching fresh pages costs a third of a training step."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, top_pad, mmap_max, arena_max = -1, -2, -4, -8
        for option, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**28), (arena_max, 1)):
            libc.mallopt(option, value)


def _log(path: Path, run: Run, running: float, scores: dict[str, float]) -> None:
    row = {"steps": run.steps, "seconds": round(run.seconds), "loss": round(running, 4)}
    row |= {name: round(value, 4) for name, value in scores.items()}
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if not file.tell():
            writer.writeheader()
        writer.writerow(row)
