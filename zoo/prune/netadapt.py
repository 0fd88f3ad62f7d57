"""NetAdapt (Yang et al., ECCV 2018, arXiv:1804.03230): a network made cheaper in small steps, each the least harmful found.

In iteration i the cost must fall by `first * decay^(i - 1)` of what it was at the start. Every group of blocks proposes the
width with which it alone would do that; the strongest filters stay; each proposal is trained for a moment, and the one
that loses least accuracy for what it saves is kept. What a cost is, the caller says.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..data.store import Store
from ..data.stream import batch, deal
from ..errors import ZooError
from ..evaluation.evaluate import EvaluationFrame, evaluate
from ..model.network import FastDepth
from ..training import recipe_v1
from ..training.recipe import Recipe
from ..training.trainer import Trainer
from ..weights import checkpoint
from .cost import Cost
from .proposals import Proposal, proposals
from .surgery import cut, strongest

MOST = 1000  # iterations
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Search:
    """What a search is, apart from its data: the most that the result may cost, in the cost's own unit, the cost's name,
    how fast to go there, what widths are multiples of, and the short training of every proposal."""

    budget: float
    unit: str
    short: Recipe
    first: float = 0.025
    decay: float = 0.96
    multiple: int = 8

    def record(self) -> dict[str, Any]:
        """The fields as plain data; `parse` reads them."""
        return asdict(self) | {"short": self.short.record()}

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Search:
        """A search from its fields. Raises ZooError."""
        try:
            return cls(**{**record, "short": Recipe.parse(record["short"])})
        except (KeyError, TypeError) as error:
            raise ZooError(f"not a search ({error})") from error


@dataclass(frozen=True)
class Iteration:
    """What was chosen, and what the network costs and is worth with it (delta1 on the frames to choose by)."""

    number: int
    group: tuple[str, ...]
    before: int
    width: int
    cost: float
    delta1: float


def targets(search: Search, cost: float) -> list[float]:
    """What the network is to cost after each iteration if every one does exactly its part. Raises ZooError if the budget
    is never reached."""
    found: list[float] = []
    reached = cost
    while reached > search.budget:
        step = search.first * search.decay ** len(found) * cost
        if len(found) == MOST or step < 1e-6 * cost:
            least = 1 - search.first / (1 - search.decay)
            raise ZooError(
                f"steps of {search.first:g} times {search.decay:g}^i never get below {least:.2f} of the cost; "
                "a larger first step does"
            )
        reached -= step
        found.append(max(reached, search.budget))
    return found


def netadapt(
    network: FastDepth,
    search: Search,
    cost: Cost,
    stores: Mapping[str, Store],
    frames: Sequence[EvaluationFrame],
    folder: Path,
    *,
    workers: int = 1,
    on_progress: OnProgress = lambda *_: None,
    told: Callable[[Iteration], None] = lambda _: None,
) -> tuple[FastDepth, list[Iteration]]:
    """(the cheaper network, the iterations that led there). `frames` are what proposals are compared on.

    Every iteration is a checkpoint in `folder`, whole or not there; a search that was stopped goes on behind the last, and
    ends as it would have. Proposals are trained in `workers` threads, each on one processor; the result does not depend
    on how many. Raises ZooError if the budget cannot be reached, or if `folder` holds another search.
    """
    start = cost(network.variant)
    planned = len(targets(search, start))
    name = network.variant.name
    network, history = _latest(folder, search, network)
    for past in history:
        told(past)
    worth = history[-1].delta1 if history else evaluate(network, frames)[0]["delta1"]
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        while (now := cost(network.variant)) > search.budget:
            number = len(history) + 1
            target = max(search.budget, now - search.first * search.decay ** (number - 1) * start)
            offers = proposals(network.variant, cost, target, search.multiple)
            if not offers:
                raise ZooError(f"no block can be narrowed any further; {now:.4g} {search.unit} is the least found")
            running = [pool.submit(_short, network, offer, search, number, stores, frames) for offer in offers]
            tried = []
            for i, (offer, future) in enumerate(zip(offers, running, strict=True)):
                blocks = "+".join(offer.group)
                on_progress(
                    f"iteration {number} of about {planned}: {blocks} {offer.before} to {offer.width}", i, len(offers)
                )
                tried.append(future.result())
            gains = [(delta1 - worth) / (now - offer.cost) for offer, (_, delta1) in zip(offers, tried, strict=True)]
            best = gains.index(max(gains))
            chosen, (network, worth) = offers[best], tried[best]
            history.append(Iteration(number, chosen.group, chosen.before, chosen.width, chosen.cost, worth))
            _commit(folder, name, search, network, history)
            told(history[-1])
    return network, history


def _short(
    network: FastDepth,
    offer: Proposal,
    search: Search,
    number: int,
    stores: Mapping[str, Store],
    frames: Sequence[EvaluationFrame],
) -> tuple[FastDepth, float]:
    """(the network cut as proposed and trained for a moment, its delta1). All proposals of one iteration see the same
    batches."""
    recipe = search.short
    seed = 1000 * recipe.seed + number
    smaller = cut(network, strongest(network, offer.variant), offer.variant)
    trainer = Trainer(offer.variant, recipe, smaller, torch.Generator().manual_seed(seed))
    rng = torch.Generator().manual_seed(seed)
    for phase, stages, lr_scale in recipe.steps():
        sources = deal(stores, phase.sampling_weights or recipe.sampling_weights, phase.batch)
        seen = batch(sources, phase, stages, recipe.color_jitter, rng)
        trainer.step(*seen, stages, lr_scale, freeze_bn=phase.freeze_bn)
    trained = trainer.ema.network
    delta1 = evaluate(trained, frames)[0]["delta1"]
    # as it comes back from a file, so that a search that was stopped adds up in the same order
    return trained.to(memory_format=torch.contiguous_format), delta1  # type: ignore[call-overload]


def _commit(folder: Path, name: str, search: Search, network: FastDepth, history: Sequence[Iteration]) -> None:
    """Leave an iteration as a checkpoint folder that appears at once, and remove the one before."""
    number = history[-1].number
    past = [asdict(iteration) for iteration in history]
    notes: dict[str, Any] = {"variant": name, "search": search.record(), "history": past}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".iteration-", dir=folder) as scratch:
        checkpoint.save(network, Path(scratch) / "made", notes)
        (Path(scratch) / "made").rename(folder / f"{number:03}")
    shutil.rmtree(folder / f"{number - 1:03}", ignore_errors=True)


def _latest(folder: Path, search: Search, network: FastDepth) -> tuple[FastDepth, list[Iteration]]:
    found = sorted(folder.glob("[0-9][0-9][0-9]")) if folder.is_dir() else []
    if not found:
        return network, []
    variant, notes = checkpoint.config(found[-1])
    try:
        name, record = (
            recipe_v1.parse_text(notes["of"]) if "of" in notes else (notes.get("variant"), notes.get("search", {}))
        )
        same = (name, Search.parse(record)) == (network.variant.name, search)
    except ZooError:
        same = False
    if not same:
        raise ZooError(f"{folder}: belongs to another search; choose another folder or delete it")
    made = FastDepth(replace(variant, name=network.variant.name)).eval()
    checkpoint.restore(made, found[-1] / checkpoint.WEIGHTS)
    return made, [Iteration(**{**past, "group": tuple(past["group"])}) for past in notes["history"]]
