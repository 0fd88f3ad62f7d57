"""Training from scratch: measured depth where there is some, a teacher's predictions elsewhere. Resumes where it stopped."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import checkpoint, image, metrics
from .data import nyu
from .data.stream import Labelled, Taught, batch
from .network import FastDepth, initialise
from .variant import Variant

AVERAGE = 0.999  # decay of the averaged weights, which are the ones evaluated and kept
SAVE_SECONDS = 120


@dataclass(frozen=True)
class Recipe:
    """What a run is, apart from its data: phases of (side, batch size, samples), peak learning rate, seed."""

    phases: tuple[tuple[int, int, int], ...]
    rate: float = 3e-3
    decay: float = 1e-2
    seed: int = 0

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


def train(
    variant: Variant,
    recipe: Recipe,
    frames: Path,
    photos: Sequence[Path],
    teacher: FastDepth | None,
    out: Path,
) -> None:
    """Train `variant` and leave a checkpoint folder in `out`, with `log.csv` and, while running, `state.pt`."""
    pairs = nyu.pairs(frames)
    held_out, pairs = pairs[-nyu.VALIDATION :], pairs[: -nyu.VALIDATION]
    sources: list[Labelled | Taught] = [Labelled(pairs)]
    if teacher is not None and photos:
        sources.append(Taught(photos, teacher.eval()))

    rng = torch.Generator().manual_seed(recipe.seed)
    network = FastDepth(variant)
    initialise(network, rng)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.decay)
    done, seconds = 0, 0.0
    out.mkdir(parents=True, exist_ok=True)
    state_file = out / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        rng.set_state(state["rng"])
        done, seconds = state["steps"], state["seconds"]

    def save(step: int, elapsed: float, running: float) -> None:
        scores = validate(average, held_out)
        checkpoint.save(average, out, {"steps": step, "validation": scores})
        state = {"network": network.state_dict(), "average": average.state_dict(), "rng": rng.get_state()}
        partial = state_file.with_suffix(".partial")
        torch.save(state | {"optimizer": optimizer.state_dict(), "steps": step, "seconds": elapsed}, partial)
        partial.replace(state_file)
        row = {"step": step, "seconds": round(elapsed), "loss": round(running, 4), "delta1": round(scores["delta1"], 4)}
        with (out / "log.csv").open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)

    began = saved = time.monotonic()
    losses: list[float] = []
    step = done
    for step, (side, size, rate) in enumerate(recipe.steps(), start=1):
        if step <= done:
            continue
        for group in optimizer.param_groups:
            group["lr"] = rate
        network.train()
        pictures, depths = batch(sources, size, side, rng)
        value = loss(network(pictures.to(memory_format=torch.channels_last)), depths)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        decay = min(AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, fresh in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                if kept.dtype.is_floating_point:
                    kept.lerp_(fresh, 1 - decay)
        losses.append(value.item())
        if time.monotonic() - saved > SAVE_SECONDS:
            save(step, seconds + time.monotonic() - began, float(np.mean(losses[-200:])))
            saved = time.monotonic()
    save(step, seconds + time.monotonic() - began, float(np.mean(losses[-200:] or [0.0])))
