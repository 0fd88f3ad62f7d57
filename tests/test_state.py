"""The state file of a training run: it goes on from one of version 1, and a damaged one is refused in a line."""

import io
import json

import pytest
import torch

from conftest import complaint, small_frames
from zoo.data import store
from zoo.data.frames import frames
from zoo.errors import ZooError
from zoo.evaluation.evaluate import evaluation_frames
from zoo.evaluation.protocols import PROTOCOLS
from zoo.model.network import FastDepth
from zoo.prune.widths import blocks, resized
from zoo.training import state
from zoo.training import train as training
from zoo.training.recipe import Phase, Recipe
from zoo.training.train import train
from zoo.variant import variant
from zoo.weights import checkpoint

RECIPE = Recipe((Phase(32, 2, 8),))
FULL = variant("fastdepth")
SMALL = resized(FULL, {block: max(8, width // 16) for block, width in blocks(FULL).items()}, "small")
PRINTED = (
    "small Recipe(phases=(Phase(side=32, batch=2, samples=8, stages=5, whole=0),), rate=0.003, "
    "matrix_rate=0.02, decay=0.01, shares=(0.45, 0.55, 0.1), jitter=1.0, mixed=False, seed=0)"
)


def quiet(what, done, total):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_frames(tmp_path_factory.mktemp("frames"), 3)


@pytest.fixture(scope="module")
def given(folder, tmp_path_factory):
    found = frames(folder)
    stores = {"frames": store.measured(found[:2], tmp_path_factory.mktemp("cache"), quiet)}
    return stores, evaluation_frames(found[2:], PROTOCOLS["published"], quiet)[0]


@pytest.fixture(scope="module")
def stopped(given, tmp_path_factory):
    """(content of the state file of a run that stopped after two of four steps, the weights of one that did not)."""
    out = tmp_path_factory.mktemp("runs")
    train(SMALL, RECIPE, *given, out / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "SAVE_SECONDS", -1)  # save at every step
        run, real = training.Run(SMALL, RECIPE, None, out / "stopped"), training.batch

        def dies_at_the_third(*arguments):
            if training.state.read(out / "stopped" / "state.pt", torch.device("cpu"))["steps"] == 2:
                raise KeyboardInterrupt
            return real(*arguments)

        run.save({})
        patch.setattr(training, "batch", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            train(SMALL, RECIPE, *given, out / "stopped")
    return (out / "stopped" / "state.pt").read_bytes(), (out / "whole" / "model.safetensors").read_bytes()


def as_version_1(content, path):
    """The bytes that version 1 would have written."""
    path.write_bytes(content)
    found = state.read(path, torch.device("cpu"))
    old = {before: found[after] for before, after in state.PARTS_V1.items()}
    for group in old["muon"]["param_groups"]:
        group["decay"] = group.pop("weight_decay")
    made = io.BytesIO()
    torch.save(old | {"steps": found["steps"], "seconds": found["seconds"], "of": PRINTED}, made)
    return made.getvalue()


@pytest.mark.parametrize("version", [1, 2])
def test_a_run_of_either_version_goes_on_and_ends_with_the_same_bits(given, stopped, tmp_path, version):
    content, weights = stopped
    (tmp_path / "state.pt").write_bytes(content if version == 2 else as_version_1(content, tmp_path / "x"))
    train(SMALL, RECIPE, *given, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == weights
    assert (tmp_path / "state.pt").read_bytes().startswith(b"fastdepth-zoo training state 2 ")
    with pytest.raises(ZooError, match=r"state\.pt: belongs to another run"):
        train(SMALL, Recipe((Phase(32, 2, 8),), seed=1), *given, tmp_path)


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


DAMAGE = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:-100],
    "cut to its head": lambda content: content[:40],
    "a byte flipped in the tensors": lambda content: flipped(content, len(content) // 2),
    "a byte flipped in the digest": lambda content: flipped(content, 50),
    "a byte flipped at the end": lambda content: flipped(content, len(content) - 3),
    "longer": lambda content: content + b"x",
    "something else": lambda content: b"steps: 3\n",
    "an empty archive": lambda content: b"PK\5\6" + bytes(18),
}


def refused(path):
    with pytest.raises(ZooError, match=r"state\.pt: .*; delete it to begin the run again") as told:
        training.Run(SMALL, RECIPE, None, path.parent)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_refused(stopped, tmp_path, damage):
    (tmp_path / "state.pt").write_bytes(DAMAGE[damage](stopped[0]))
    refused(tmp_path / "state.pt")


@pytest.mark.parametrize("damage", ["cut", "a byte flipped in the tensors"])
def test_a_damaged_state_of_version_1_is_refused(stopped, tmp_path, damage):
    (tmp_path / "state.pt").write_bytes(DAMAGE[damage](as_version_1(stopped[0], tmp_path / "x")))
    refused(tmp_path / "state.pt")


CHANGES = {
    "no steps at all": lambda s: s.pop("steps"),
    "steps below 0": lambda s: s.update(steps=-5),
    "more steps than there are": lambda s: s.update(steps=10**9),
    "half a step": lambda s: s.update(steps=1.5),
    "seconds without end": lambda s: s.update(seconds=float("inf")),
    "no model": lambda s: s.pop("model"),
    "a model that is none": lambda s: s.update(model=3),
    "a model of another shape": lambda s: s["model"].update({"network.head.conv.weight": torch.zeros(1, 2, 1, 1)}),
    "an optimiser without its groups": lambda s: s.update(adamw={"state": {}}),
    "a recipe that is none": lambda s: s.update(recipe=[1]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_state_that_makes_no_sense_is_refused(stopped, tmp_path, change):
    path = tmp_path / "state.pt"
    path.write_bytes(stopped[0])
    found = state.read(path, torch.device("cpu"))
    CHANGES[change](found)
    state.write(path, found)
    refused(path)


def test_the_command_says_it_in_one_line(zoo, folder, stopped, tmp_path):
    (tmp_path / "recipe.toml").write_text("version = 2\nphases = [{ side = 32, batch = 2, samples = 8 }]\n")
    checkpoint.save(FastDepth(SMALL), tmp_path / "run", {"steps": 1})
    (tmp_path / "run" / "state.pt").write_bytes(stopped[0][:-1])
    checkpoint.save(FastDepth(SMALL), tmp_path / "small")
    words = ("-m", "small", "--dataset", folder, "--hold-out", "1", "--config", "recipe.toml", "-o", "run")
    assert "run/state.pt: damaged (its digest differs); delete it" in complaint(zoo("train", *words))


def test_the_log_of_an_older_run_keeps_its_columns(given, tmp_path):
    (tmp_path / "log.csv").write_text("steps,seconds,loss,delta1,gone\n1,2,3.0,0.5,7\n")
    train(SMALL, RECIPE, *given, tmp_path)
    head, _, last = (line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines())
    assert (len(last), last[0], last[4]) == (len(head), "4", "")
    assert json.loads((tmp_path / "config.json").read_text())["notes"]["steps"] == 4
