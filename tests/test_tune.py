import math
import random
import statistics
from dataclasses import replace

import pytest

from zoo.kernels.device import device, host
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.workload import Workload
from zoo.kernels.processor import Machine, here
from zoo.kernels.records import Record, append, read
from zoo.kernels.targets import target_of
from zoo.kernels.tuning.local import LocalRunner
from zoo.kernels.tuning.search import Others, features, propose, tune
from zoo.kernels.tuning.session import session

V4 = device("x86-64-v4")
IMAGINED = Machine("znver4", "imagined")
LAYERS = [
    Workload.parse(f"pointwise1s1-f32-c{c}-k{k}-28x28+relu") for c, k in ((64, 128), (120, 144), (96, 256), (48, 64))
]


def imagined(w, knobs):
    """A machine whose best tile has about ten pixels and two blocks."""
    pixels = knobs["tile_h"] * knobs["tile_w"]
    cost = 1 + abs(math.log2(pixels / 10)) + abs(knobs["tile_oc"] - 2) / 4 + abs(math.log2(knobs["task_h"] / 7)) / 8
    return record(w, knobs, (w.macs * cost * 1e-11,))


def record(w, knobs, seconds, error=None):
    return Record(V4.name, w, target_of(V4).version, knobs, seconds, "measured", IMAGINED, "0", "2026-01-01", error)


def run(trials, seed=0, learn=True, records=None, measure=imagined):
    records, kept = list(records or []), []
    tune(LAYERS, V4, trials, records, measure, kept.extend, seed=seed, learn=learn)
    return kept


def total(kept):
    return sum(min(r.time for r in kept if r.workload == w) for w in LAYERS)


def test_every_layer_gets_its_trials_and_no_setting_twice():
    kept = run(24)
    for w in LAYERS:
        settings = [tuple(r.knobs.items()) for r in kept if r.workload == w]
        assert len(settings) == len(set(settings)) == 24
        assert all(dict(s) in list(target_of(V4).space(w)) for s in settings)
        assert dict(settings[0]) == target_of(V4).default(w)


def test_a_stopped_search_goes_on_and_ends_with_as_many():
    first = run(8)
    assert len(run(24, records=first)) == 16 * len(LAYERS)
    assert run(8, records=first) == []


def test_the_same_seed_searches_the_same():
    assert run(24, seed=3) == run(24, seed=3)
    assert run(24, seed=3) != run(24, seed=4)


def test_the_model_earns_its_place():
    ratios = [total(run(24, seed)) / total(run(24, seed, learn=False)) for seed in range(5)]
    assert statistics.median(ratios) < 1


def test_failures_are_records_and_do_not_stop_the_search():
    def fragile(w, knobs):
        return record(w, knobs, (), "boom") if knobs["tile_h"] > 1 else imagined(w, knobs)

    kept = run(24, measure=fragile)
    assert any(r.error for r in kept)
    assert math.isfinite(total(kept))


def test_a_small_space_is_searched_to_its_end():
    w = Workload.parse("head1s1-f32-c16-k1-7x7+relu")
    kept = []
    tune([w], V4, 99, [], lambda w, knobs: record(w, knobs, (1e-5,)), kept.extend)
    assert len(kept) == len(list(target_of(V4).space(w)))
    assert propose(w, V4, kept, 8, random.Random(0)) == []


def test_features_tell_settings_apart():
    w = LAYERS[0]
    seen = {tuple(features(w, knobs, V4, "znver4")) for knobs in target_of(V4).space(w)}
    assert len(seen) == len(list(target_of(V4).space(w)))


def test_what_others_have_fastest_is_measured_first_then_the_default():
    w, default = LAYERS[0], target_of(V4).default(LAYERS[0])
    other = next(knobs for knobs in target_of(V4).space(w) if knobs != default)

    def first(knobs, count=8, processor="znver4"):
        others = Others(V4, processor, [replace(record(w, knobs, (1e-4,)), machine=Machine("cascadelake", "a"))])
        return propose(w, V4, [], count, random.Random(0), others=others)

    assert first(other)[:2] == [default, other]  # as none is near a Zen 4
    assert first(other, processor="znver5")[:2] == [other, default]
    assert first(default)[0] == default
    assert first({"tile_w": 13})[0] == default  # not legal here
    assert first(other, 1) == [default]


def test_what_was_learned_on_another_processor_serves_here():
    def slower(w, knobs):
        return replace(imagined(w, knobs), machine=Machine("cascadelake", "imagined"))

    def first_total(others):
        kept = []
        tune(LAYERS, V4, 8, [], slower, kept.extend, seed=3, others=others)
        return total(kept)

    near = [replace(r, machine=Machine("sapphirerapids", "near")) for r in run(24, seed=5)]
    assert first_total(Others(V4, "cascadelake", near)) < first_total(None)
    assert Others(V4, "cascadelake", run(8)).records == []  # of a Zen 4, whose cores have other pipes


def test_a_search_stops_when_its_time_is_over_and_keeps_what_it_has():
    kept = []
    tune(LAYERS, V4, 24, [], imagined, kept.extend, is_over=lambda: len(kept) >= 11)
    assert len(kept) == 11


class Board:
    """A made-up one, of a processor that has no records."""

    machine = Machine("cascadelake", "imagined", cores=4)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def measure(self, w, knobs):
        return replace(imagined(w, knobs), machine=self.machine)


def test_others_records_are_where_a_search_begins_and_no_part_of_it(tmp_path):
    path, said = tmp_path / "log.jsonl", []
    append(path, [imagined(w, knobs) for w in LAYERS for knobs in list(target_of(V4).space(w))[:9]])

    def tuned(trials, **more):
        return session(
            LAYERS, V4, [Board()], trials, lambda *_: None, lambda *words: said.append(words), log=path, **more
        )

    outcome = tuned(8, name="attic")
    assert (outcome.machine, len(outcome.records)) == (Board.machine, 8 * len(LAYERS))
    assert len(tuned(8).records) == 8 * len(LAYERS)  # it goes on where it stopped
    assert len(tuned(99, seconds=0).records) == 8 * len(LAYERS) + 1  # what was begun is done
    kept, _ = read(path)
    assert [(r.machine.processor, r.machine.name) for r in kept[36:68]] == [("cascadelake", "attic")] * 32
    assert said == []
    with pytest.raises(KernelError, match="--name"):
        tuned(8, name="two\nlines")


def test_boards_of_several_kinds_are_not_compared(tmp_path):
    class Other(Board):
        machine = Machine("znver5", "the other")

    with pytest.raises(KernelError, match="imagined is cascadelake, the other znver5; tune them one by one"):
        session(LAYERS, V4, [Board(), Other()], 8, lambda *_: None, lambda *_: None, log=tmp_path / "a.jsonl")


def test_a_real_kernel_is_measured_in_a_process_that_may_die():
    w = Workload.parse("depthwise3s1-f32-c8-7x7+relu")
    with LocalRunner(host()) as runner:
        good = runner.measure(w, target_of(host()).default(w))
        assert good.error is None
        assert good.machine == here()
        assert len(good.seconds) >= 5
        assert all(0 < s < 1 for s in good.seconds)
        refused = runner.measure(w, {"tile_h": 3})
        assert (refused.seconds, "this schedule has" in refused.error) == ((), True)
        assert runner.measure(w, target_of(host()).default(w), limit=0).error == "no answer within 0 s"
        runner._connect()
        runner._process.kill()
        runner._process.join()
        assert runner.measure(w, target_of(host()).default(w)).error
        assert runner.measure(w, target_of(host()).default(w)).seconds


def test_what_cannot_run_here_cannot_be_tuned_here():
    other = "aarch64" if host().arch == "x86_64" else "x86-64-v4"
    with pytest.raises(KernelError, match="cannot run it, so it cannot be tuned here"):
        LocalRunner(device(other))
