import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest
import torch

from conftest import ROOT, small_frames
from zoo.data import store
from zoo.data.frames import frames
from zoo.errors import ZooError
from zoo.evaluation.evaluate import evaluation_frames
from zoo.evaluation.protocols import PROTOCOLS
from zoo.model.network import FastDepth, initialise
from zoo.prune import netadapt as search
from zoo.prune.cost import macs
from zoo.prune.netadapt import Search, netadapt, targets
from zoo.prune.widths import blocks, resized
from zoo.training.recipe import Phase, Recipe
from zoo.variant import variant
from zoo.weights import checkpoint

FULL = variant("fastdepth")
SMALL = resized(FULL, {block: max(8, width // 16) for block, width in blocks(FULL).items()}, "small")
SHORT = Recipe((Phase(32, 2, 4),), lr=1e-3, muon_lr=1e-3)
SHORT_V1 = (
    "Recipe(phases=(Phase(side=32, batch=2, samples=4, stages=5, whole=0),), rate=0.001, matrix_rate=0.001, decay=0.01, "
    "shares=(0.45, 0.55, 0.1), jitter=1.0, mixed=False, seed=0)"
)
GOAL = Search(0.75 * macs(SMALL), "MACs", SHORT, first=0.1, decay=0.98, multiple=2)


def quiet(what, done, total):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_frames(tmp_path_factory.mktemp("frames"), 6)


@pytest.fixture(scope="module")
def given(folder, tmp_path_factory):
    """(stores, frames to choose by)."""
    found = frames(folder)
    made = store.measured(found[:4], tmp_path_factory.mktemp("cache"), quiet)
    return {"frames": made}, evaluation_frames(found[4:], PROTOCOLS["published"], quiet)[0]


@pytest.fixture(scope="module")
def network():
    made = FastDepth(SMALL)
    initialise(made, torch.Generator().manual_seed(0))
    return made.eval()


@pytest.fixture(scope="module")
def found(network, given, tmp_path_factory):
    return netadapt(network, GOAL, macs, *given, tmp_path_factory.mktemp("search"))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_a_search_ends_within_its_budget_step_by_step(found, network):
    made, history = found
    assert macs(made.variant) <= GOAL.budget
    assert macs(made.variant) == history[-1].cost
    costs = [macs(SMALL), *(iteration.cost for iteration in history)]
    assert all(after < before for before, after in pairwise(costs))
    for i, (before, after) in enumerate(pairwise(costs)):
        assert after <= max(GOAL.budget, before - GOAL.first * GOAL.decay**i * costs[0])
    widths = blocks(SMALL)
    for iteration in history:
        assert {widths[block] for block in iteration.group} == {iteration.before}
        widths |= dict.fromkeys(iteration.group, iteration.width)
    assert widths == blocks(made.variant)
    assert network.variant == SMALL


def test_the_number_of_workers_changes_nothing(found, network, given, tmp_path):
    made, history = netadapt(network, GOAL, macs, *given, tmp_path, workers=3)
    assert history == found[1]
    assert same(made, found[0])


def test_a_search_that_was_stopped_ends_the_same(found, network, given, tmp_path, monkeypatch):
    real, calls = search._commit, []

    def dies_in_the_second(folder, *rest):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(folder, *rest)

    monkeypatch.setattr(search, "_commit", dies_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        netadapt(network, GOAL, macs, *given, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["001"]
    config = tmp_path / "001" / "config.json"  # as version 1 left it
    content = json.loads(config.read_text())
    of = f"small Search(budget={GOAL.budget!r}, unit='MACs', short={SHORT_V1}, first=0.1, decay=0.98, multiple=2)"
    content["notes"] = {"of": of, "history": content["notes"]["history"]}
    config.write_text(json.dumps(content))
    told = []
    made, history = netadapt(network, GOAL, macs, *given, tmp_path, told=told.append)
    assert told == history == found[1]
    assert same(made, found[0])
    assert [path.name for path in tmp_path.iterdir()] == [f"{len(history):03}"]
    assert netadapt(network, GOAL, macs, *given, tmp_path)[1] == history
    other = Search(GOAL.budget, "MACs", SHORT, first=0.2)
    with pytest.raises(ZooError, match="belongs to another search"):
        netadapt(network, other, macs, *given, tmp_path)


def test_a_budget_that_is_never_reached_is_refused(network, given, tmp_path):
    with pytest.raises(ZooError, match=r"never get below 0\.38 of the cost; a larger first step does"):
        targets(Search(0.3, "MACs", SHORT), 1.0)
    with pytest.raises(ZooError, match="no block can be narrowed any further"):
        netadapt(network, Search(1, "MACs", SHORT, first=0.2, multiple=4), lambda v: macs(v), *given, tmp_path)
    assert len(targets(Search(0.5, "MACs", SHORT), 1.0)) == 40


@pytest.fixture
def line(folder, network, tmp_path):
    """The command's words, for a checkpoint of its own and recipes that take moments."""
    checkpoint.save(network, tmp_path / "small")
    recipe = "version = 2\nphases = [{ side = 32, batch = 2, samples = 4 }]\nmuon_lr = 1e-3\n"
    (tmp_path / "short.toml").write_text(recipe)
    return [
        *(
            "prune",
            "-m",
            tmp_path / "small",
            "--dataset",
            folder,
            "--hold-out",
            "1",
            "--choose-by",
            "2",
            "--budget",
            "0.8",
        ),
        *("--first", "0.1", "--multiple", "2", "--short", tmp_path / "short.toml", "--config", tmp_path / "short.toml"),
    ]


def test_the_command_searches_trains_and_reports(zoo, line, tmp_path):
    code, out, err = zoo(*line, "-o", tmp_path / "out", "--name", "smaller", "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["left"] <= 0.8
    assert report["variant"] == "smaller"
    variant, _ = checkpoint.config(tmp_path / "out")
    assert (variant.name, macs(variant)) == ("smaller", report["iterations"][-1]["cost"])
    saved = json.loads((tmp_path / "out" / "search.json").read_text())
    assert saved["iterations"] == report["iterations"]
    code, out, err = zoo(*line, "-o", tmp_path / "out", "--name", "smaller")
    assert code == 0, err
    assert "encoder" in out
    assert f"{len(saved['iterations'])} " in out


def test_a_baseline_is_narrowed_alike_everywhere(zoo, network, tmp_path):
    checkpoint.save(network, tmp_path / "small")
    code, out, err = zoo(
        "prune",
        "-m",
        tmp_path / "small",
        "--budget",
        "0.6",
        "--uniform",
        "--multiple",
        "2",
        "-o",
        tmp_path / "u",
        "--json",
    )
    assert code == 0, err
    assert json.loads(out)["macs"] <= 0.6 * macs(SMALL)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give either --to VARIANT or --budget SHARE"),
        (["--to", "fastdepth_pruned", "--budget", "0.5"], "give either --to VARIANT or --budget SHARE"),
        (["--budget", "0.5"], "a search needs --dataset"),
        (["--budget", "0.5", "--cost", "watts"], "no cost 'watts'"),
        (["--budget", "0.5", "--cost", "latency:toaster"], "unknown device 'toaster'"),
        (["--budget", "0.5", "--cost", "latency:rpi5"], "only 0 measured depthwise layers"),
        (["--budget", "0.2", "--dataset", "x"], "never get below"),
        (["--to", "huge"], "unknown variant 'huge'"),
    ],
)
def test_what_cannot_be_pruned_is_said_in_a_line(zoo, tmp_path, words, said):
    code, out, err = zoo("prune", *words, "-o", tmp_path / "out")
    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_is_not_of_the_family_is_said(zoo, network, tmp_path):
    checkpoint.save(network, tmp_path / "small")
    config = tmp_path / "small" / "config.json"
    config.write_text(config.read_text().replace('"mobilenet"', '"vgg16"'))
    for words in (["--budget", "0.5", "--uniform"], ["--to", "fastdepth_pruned"]):
        code, _, err = zoo("prune", "-m", tmp_path / "small", *words, "-o", tmp_path / "out")
        assert code == 2
        assert "encoder 'vgg16' with decoder 'nnconv5' is not of the family" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_search_that_was_killed_ends_the_same(line, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def start(out):
        words = [sys.executable, "-m", "zoo", *map(str, line), "-o", str(out), "--threads", "1"]
        return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)

    assert start(tmp_path / "whole").wait() == 0
    stopped = start(tmp_path / "stopped")
    while not (tmp_path / "stopped" / "search" / "002").exists():
        time.sleep(0.01)
    os.kill(stopped.pid, signal.SIGKILL)
    assert stopped.wait() == -signal.SIGKILL
    assert start(tmp_path / "stopped").wait() == 0
    for name in ("model.safetensors", "search.json"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
