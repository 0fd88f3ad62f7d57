"""Search for good knobs: a model trained on everything measured so far says what to measure next."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..cores import cores, nearest
from ..device import Device
from ..ir.workload import KINDS, Workload
from ..processor import UNKNOWN
from ..records import Record
from ..selection import NEAR, PORTABLE, choose
from ..targets import target_of

BATCH = 8
EXPLORE = 0.25  # of a batch, chosen at random
ENOUGH = 16  # records of one kind before the model is asked

Knobs = dict[str, int]
Measure = Callable[[Workload, Knobs], Record]
Space = Callable[[Workload], Iterable[Knobs]]
Spread = Callable[[Callable[[Knobs], Record], Sequence[Knobs]], Iterable[Record]]


def features(w: Workload, knobs: dict[str, int], device: Device, processor: str) -> list[float]:
    """What the model sees of a workload, a setting and a processor: sizes, operations, what the target makes of the setting;
    multiply-adds of the device's vectors in a cycle, and caches, where they are known."""
    core = cores().get(processor)
    return [
        KINDS.index(w.kind),
        w.kernel_size,
        w.stride,
        w.dtype.bytes,
        *(float(name in w.epilogue) for name in ("double", "add")),
        *(float(name in w.prologue) for name in ("double", "add")),
        *(math.log2(1 + value) for value in (w.cin, w.cout, *w.conv_sides, w.macs)),
        *target_of(device).features(w, knobs),
        *((core.vectors(32 * device.simd_lanes), core.l1d, core.l2) if core else (math.nan,) * 3),
    ]


class Model:
    """Ranks settings of one workload by how fast they should be on a processor, learned from records of its kind, made on any
    (XGBoost, pairwise)."""

    def __init__(self, records: Sequence[Record], device: Device, seed: int) -> None:
        """Learn from the records; failures count as the slowest of their workload and processor."""
        import xgboost

        groups: dict[tuple[Workload, str], list[Record]] = {}
        for record in records:
            groups.setdefault((record.workload, record.machine.processor), []).append(record)
        rows, merits, group = [], [], []
        for (workload, processor), measured in groups.items():
            fastest = min(record.time for record in measured)
            if len(measured) < 2 or math.isinf(fastest):
                continue
            rows += [features(workload, record.knobs, device, processor) for record in measured]
            merits += [fastest / record.time for record in measured]
            group.append(len(measured))
        data = xgboost.DMatrix(np.array(rows), np.array(merits))
        data.set_group(group)
        options = {"objective": "rank:pairwise", "eta": 0.2, "max_depth": 5, "nthread": 1, "seed": seed}
        self._device, self._booster = device, xgboost.train(options, data, 60)

    def rank(self, w: Workload, settings: Sequence[dict[str, int]], processor: str) -> NDArray[np.float32]:
        """A score per setting; higher should be faster."""
        import xgboost

        rows = np.array([features(w, knobs, self._device, processor) for knobs in settings])
        return np.asarray(self._booster.predict(xgboost.DMatrix(rows)))


class Others:
    """What was measured for a device on other processors than the one that is searched for. The model learns from those near it
    alone: from others it starts better and ends no sooner (docs/tuning.md)."""

    def __init__(self, device: Device, processor: str = UNKNOWN, records: Sequence[Record] = ()) -> None:
        near = nearest(processor, {record.machine.processor for record in records}, 32 * device.simd_lanes)
        self.processor, self.records = processor, [record for record in records if record.machine.processor in near]
        choices = choose(records, device, processor).items()
        self.near, self.portable = (
            {w: choice.record.knobs for w, choice in choices if choice.basis == basis} for basis in (NEAR, PORTABLE)
        )


def propose(
    w: Workload,
    device: Device,
    records: Sequence[Record],
    count: int,
    rng: random.Random,
    *,
    learn: bool = True,
    others: Others | None = None,
    space: Space | None = None,
) -> list[dict[str, int]]:
    """Up to `count` settings of a workload not measured yet: first what is fastest on the nearest of the others, the default,
    and what is portable where none is near; then the model's best and some at random.

    `records` are those of the device, of any workload: what was learned on one layer serves the next.
    """
    others = others or Others(device)
    seen = [record.knobs for record in records if record.workload == w]
    left = [knobs for knobs in (space or target_of(device).space)(w) if knobs not in seen]
    rng.shuffle(left)
    first: list[Knobs] = []
    if not seen:
        begin = (others.near.get(w), target_of(device).default(w), others.portable.get(w))
        first = [knobs for i, knobs in enumerate(begin) if knobs in left and knobs not in begin[:i]][:count]
        left, count = [knobs for knobs in left if knobs not in first], count - len(first)
    alike = [record for record in (*records, *others.records) if record.workload.kind == w.kind]
    if not learn or len(alike) < ENOUGH or len(left) <= count:
        return [*first, *left[:count]]
    scores = Model(alike, device, rng.randrange(1 << 30)).rank(w, left, others.processor)
    order = [left[i] for i in np.argsort(-scores)]
    chosen = order[: count - round(count * EXPLORE)]
    return [*first, *chosen, *[knobs for knobs in left if knobs not in chosen][: count - len(chosen)]]


def tune(
    workloads: Sequence[Workload],
    device: Device,
    trials: int,
    records: list[Record],
    measure: Measure,
    keep: Callable[[Sequence[Record]], None],
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
    *,
    seed: int = 0,
    learn: bool = True,
    spread: Spread = map,
    others: Others | None = None,
    space: Space | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Measure `trials` settings of every workload, those in `records` counted; new ones are kept as they come.

    In rounds over all workloads, so that every layer's lesson reaches the others early. Stops early where a workload has
    no settings left, or once `is_over`. `spread` maps over a batch of settings, one after another or at the same time.
    `others` is what was learned on other processors; `space` lists settings to choose from, by default all that are legal.
    """
    space = space or target_of(device).space
    rng = random.Random(seed)
    goal = {w: min(trials, sum(1 for _ in space(w))) for w in workloads}
    done = {w: sum(record.workload == w for record in records) for w in workloads}
    fastest = {w: min((r.time for r in records if r.workload == w), default=math.inf) for w in workloads}
    while open_ := [w for w in workloads if done[w] < goal[w]]:
        for w in open_:

            def trial(knobs: Knobs, w: Workload = w) -> Record:
                record = measure(w, knobs)
                keep([record])  # at once: what is measured is not lost to what happens next
                return record

            count = min(BATCH, goal[w] - done[w])
            batch = propose(w, device, records, count, rng, learn=learn, others=others, space=space)
            for record in spread(trial, batch):
                records.append(record)
                done[w] += 1
                fastest[w] = min(fastest[w], record.time)
                total = sum(time for time in fastest.values() if math.isfinite(time))
                on_progress(f"{total * 1e3:.2f} ms, {w}", sum(done.values()), sum(goal.values()))
                if is_over():
                    return
