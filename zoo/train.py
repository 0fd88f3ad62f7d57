"""Training: measured depth where there is some, a teacher's predictions elsewhere.

A run that stops, however rudely, goes on from its last saved state as if it had never stopped: same bits in the end.
"""

from __future__ import annotations

import copy
import csv
import ctypes
import io
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import checkpoint
from .blocks import Layer, double
from .data.store import Store
from .data.stream import batch, shares
from .errors import ZooError
from .evaluate import Judged, evaluate
from .files import put
from .network import FastDepth, initialise
from .optimise import Muon, split
from .recipe import STAGES, Recipe
from .variant import Variant

AVERAGE = 0.999  # decay of the averaged weights, which are the ones evaluated and kept
SAVE_SECONDS = 180
STATE = "state.pt"

Tick = Callable[[str, int, int], None]


class Trainee(nn.Module):
    """A network and the extra heads through which its decoder's earlier stages are trained."""

    def __init__(self, network: FastDepth) -> None:
        super().__init__()
        self.network = network
        self.heads = nn.ModuleDict(
            {str(j): Layer(c, 1, 1, nn.ReLU()) for j, c in enumerate(network.variant.decoder_widths[:-1], start=1)}
        )
        for module in self.modules():
            if isinstance(module, nn.ReLU | nn.ReLU6):
                module.inplace = True  # a third fewer bytes moved

    def forward(self, images: Tensor, stages: int) -> Tensor:
        """(N, 3, S, S) -> metres on the map that `stages` of the decoder give, side S / 2^(6 - stages).

        The last doubling is left out: a head is a 1x1 layer, and those commute with it.
        """
        network = self.network
        encoded = network.encoder(images)
        x = encoded[-1]
        for j, stage in enumerate(network.decoder.values(), start=1):
            x = stage(x)
            if j == stages:
                break
            x = double(x)
            if j in network.decoder.skips:
                x = x + encoded[network.decoder.skips[j]]
        depth: Tensor = network.head(x) if stages == STAGES else self.heads[str(stages)](x)
        return depth

    def view(self, stages: int) -> Callable[[Tensor], Tensor]:
        """The whole network as trained so far: images -> metres at the images' size."""
        return lambda images: F.interpolate(self(images, stages), size=images.shape[2:])


def loss(predicted: Tensor, target: Tensor) -> Tensor:
    """L1 on depth + half of L1 on log depth + half of L1 on the depth's differences, over known pixels."""
    known = target > 0
    error = torch.where(known, predicted - target, 0.0)
    logs = torch.where(known, predicted.clamp(min=0.05).log() - target.clamp(min=0.05).log(), 0.0)
    across = torch.where(known[..., 1:] & known[..., :-1], error[..., 1:] - error[..., :-1], 0.0)
    down = torch.where(known[..., 1:, :] & known[..., :-1, :], error[..., 1:, :] - error[..., :-1, :], 0.0)
    return error.abs().mean() + 0.5 * logs.abs().mean() + 0.5 * (across.abs().mean() + down.abs().mean())


class Run:
    """Everything that a run is at some step, and so everything that its state file holds."""

    def __init__(self, variant: Variant, recipe: Recipe, start: FastDepth | None, out: Path) -> None:
        """Begin afresh or from a network `start`, or go on from `out`/state.pt. Raises ZooError if that is the state of
        another run."""
        self.recipe, self.out = recipe, out
        self.rng = torch.Generator().manual_seed(recipe.seed)
        network = FastDepth(variant)
        initialise(network, self.rng)
        self.trainee = Trainee(network)
        for head in self.trainee.heads.values():
            initialise(head, self.rng)
            nn.init.constant_(head.norm.bias, 2.5)  # type: ignore[arg-type,union-attr]
        if start is not None:
            network.load_state_dict(start.state_dict())
        self.trainee.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.trainee).eval()
        matrices, rest = split(self.trainee)
        self.adam = torch.optim.AdamW(rest, recipe.rate, weight_decay=recipe.decay)
        self.muon = Muon(matrices, recipe.matrix_rate)
        self.steps, self.seconds = 0, 0.0
        self.of = f"{variant.name} {recipe}"
        out.mkdir(parents=True, exist_ok=True)
        if (out / STATE).exists():
            self._restore(torch.load(out / STATE, weights_only=True))

    def _restore(self, state: dict[str, Any]) -> None:
        if state["of"] != self.of:
            raise ZooError(f"{self.out / STATE}: belongs to another run; choose another folder or delete it")
        for name in PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.rng.set_state(state["rng"])
        self.steps, self.seconds = state["steps"], state["seconds"]

    def save(self, scores: dict[str, float]) -> None:
        """Leave the averaged weights as a checkpoint folder, and the whole state, each file whole or not at all."""
        notes = {"run": self.of, "steps": self.steps, "seconds": round(self.seconds), "validation": scores}
        checkpoint.save(self.average.network, self.out, notes)
        state = {name: getattr(self, name).state_dict() for name in PARTS}
        state |= {"rng": self.rng.get_state(), "steps": self.steps, "seconds": self.seconds, "of": self.of}
        content = io.BytesIO()
        torch.save(state, content)
        put(self.out / STATE, content.getvalue())

    def step(self, images: Tensor, depths: Tensor, stages: int, rate: float) -> float:
        """One step of both optimisers, at a share `rate` of their peak rates, and of the average; the loss."""
        self.trainee.train()
        value = loss(self.trainee(images.to(memory_format=torch.channels_last), stages), depths)
        self.trainee.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        for optimiser, peak in ((self.adam, self.recipe.rate), (self.muon, self.recipe.matrix_rate)):
            optimiser.param_groups[0]["lr"] = peak * rate
            optimiser.step()
        self.steps += 1
        decay = min(AVERAGE, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for kept, fresh in zip(self.average.state_dict().values(), self.trainee.state_dict().values(), strict=True):
                if kept.dtype.is_floating_point:
                    kept.lerp_(fresh, 1 - decay)
        return value.item()


PARTS = ("trainee", "average", "adam", "muon")


def train(
    variant: Variant,
    recipe: Recipe,
    stores: Sequence[Store],
    held_out: Sequence[Judged],
    out: Path,
    start: FastDepth | None = None,
    tick: Tick = lambda *_: None,
) -> dict[str, float]:
    """Train `variant` on the stores into a checkpoint folder `out` with its `log.csv`; the metrics on the held-out."""
    keep_memory()
    run = Run(variant, recipe, start, out)
    weights = recipe.shares[: len(stores)]
    schedule = list(recipe.steps())
    losses: deque[float] = deque(maxlen=200)
    scores: dict[str, float] = {}
    saved = time.monotonic()
    for phase, stages, rate in schedule[run.steps :]:
        sources = shares(stores, weights, phase.batch)
        coarser = 2 ** (1 + STAGES - stages)
        losses.append(run.step(*batch(sources, phase.side, coarser, recipe.jitter, run.rng), stages, rate))
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
