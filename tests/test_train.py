import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from conftest import ROOT, small_frames
from zoo.data import store
from zoo.data.frames import frames
from zoo.errors import ZooError
from zoo.evaluation.evaluate import evaluation_frames
from zoo.evaluation.protocols import PROTOCOLS
from zoo.model.network import FastDepth, initialise
from zoo.training import train as training
from zoo.training.optimizer import Muon, orthogonal, split
from zoo.training.recipe import Phase, Recipe
from zoo.training.train import train
from zoo.training.trainer import DeeplySupervised, loss
from zoo.variant import variant

RECIPE = Recipe((Phase(32, 2, 8, 4), Phase(64, 2, 4)))
PRUNED = variant("fastdepth_pruned")


def quiet(what, done, total):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rooms: three to train on, two held out."""
    return small_frames(tmp_path_factory.mktemp("frames"), 5)


@pytest.fixture(scope="module")
def given(folder, tmp_path_factory, pruned):
    """(stores, held-out frames): what train takes."""
    cache = tmp_path_factory.mktemp("cache")
    found = frames(folder)
    photos = sorted((folder / "rgb").iterdir())
    stores = {
        "frames": store.measured(found[:3], cache / "frames", quiet),
        "photos": store.pseudo_labelled(photos, pruned, "pruned", cache / "photos", quiet),
    }
    return stores, evaluation_frames(found[3:], PROTOCOLS["published"], quiet)[0]


def weights(path):
    return (path / "model.safetensors").read_bytes()


def test_a_run_that_was_stopped_ends_with_the_same_bits(given, tmp_path, monkeypatch):
    whole = train(PRUNED, RECIPE, *given, tmp_path / "whole")

    monkeypatch.setattr(training, "SAVE_SECONDS", -1)  # save at every step
    calls, real = [], training.batch

    def dies_at_the_fourth(*arguments, **more):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    monkeypatch.setattr(training, "batch", dies_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        train(PRUNED, RECIPE, *given, tmp_path / "stopped")
    assert train(PRUNED, RECIPE, *given, tmp_path / "stopped") == whole
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")
    rows = list(csv.DictReader((tmp_path / "stopped" / "log.csv").read_text().splitlines()))
    assert [int(row["steps"]) for row in rows] == [1, 2, 3, 4, 5, 6]


def test_a_decoder_that_doubles_in_another_way_is_refused():
    with pytest.raises(ZooError, match="mobilenet_deconv5: only decoders that double by the nearest neighbour"):
        DeeplySupervised(FastDepth(variant("mobilenet_deconv5")))


@pytest.mark.slow
def test_a_run_that_was_killed_ends_with_the_same_bits(folder, tmp_path):
    (tmp_path / "recipe.toml").write_text(
        "version = 2\nphases = [{ side = 32, batch = 2, samples = 60, stages = 4 }]\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    program = "from zoo import train; train.SAVE_SECONDS = 0.5; from zoo.cli.app import main; main()"

    def start(out):
        line = f"train --dataset {folder} --hold-out 2 --config {tmp_path / 'recipe.toml'} -o {out}"
        return subprocess.Popen(
            [sys.executable, "-c", program, *line.split()], env=environment, stdout=subprocess.DEVNULL
        )

    assert start(tmp_path / "whole").wait() == 0
    stopped = start(tmp_path / "stopped")
    while not (tmp_path / "stopped" / "state.pt").exists():
        time.sleep(0.02)
    os.kill(stopped.pid, signal.SIGKILL)
    assert stopped.wait() == -signal.SIGKILL
    assert start(tmp_path / "stopped").wait() == 0
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")


def test_two_processes_take_one_step_together(folder, tmp_path):
    (tmp_path / "recipe.toml").write_text(
        "version = 2\nphases = [{ side = 32, batch = 4, samples = 12 }]\namp = true\n"
    )
    words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "zoo", "train", "--json"]
    words += ["--dataset", folder, "--hold-out", "2", "--config", tmp_path / "recipe.toml", "-o", tmp_path / "out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *map(str, words)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["count"] == 2  # said once
    assert len((tmp_path / "out" / "log.csv").read_text().splitlines()) == 2
    assert (tmp_path / "out" / "model.safetensors").exists()


def test_a_gpu_that_is_not_there_is_said(zoo, folder, tmp_path):
    for where, said in (("toaster", "there are cpu and cuda"), ("cuda", "PyTorch finds no GPU here")):
        if where == "cuda" and torch.cuda.is_available():
            continue
        code, _, err = zoo("train", "--dataset", folder, "--hold-out", "2", "-o", tmp_path / "x", "--device", where)
        assert code == 2
        assert said in err


def test_a_variant_without_a_recipe_is_said(zoo, folder, tmp_path):
    words = ("--init", "fastdepth", "--dataset", folder, "--hold-out", "2", "-o", tmp_path / "x")
    code, _, err = zoo("train", "-m", "fastdepth_dense", *words)
    assert code == 2
    assert "no recipe for fastdepth_dense: --config names one" in err
    assert not (tmp_path / "x").exists()


def test_a_finished_run_is_left_alone_and_another_one_refused(given, tmp_path):
    recipe = Recipe((Phase(32, 2, 4),))
    train(PRUNED, recipe, *given, tmp_path)
    before = weights(tmp_path)
    train(PRUNED, recipe, *given, tmp_path)
    assert weights(tmp_path) == before
    with pytest.raises(ZooError, match=r"state\.pt: belongs to another run"):
        train(PRUNED, Recipe((Phase(32, 2, 4),), seed=1), *given, tmp_path)


def test_a_run_may_begin_with_the_weights_of_another(given, tmp_path, pruned):
    train(PRUNED, Recipe((Phase(32, 2, 2),), lr=0.0, muon_lr=0.0), *given, tmp_path, start=pruned)
    run = training.Run(PRUNED, Recipe((Phase(32, 2, 2),), lr=0.0, muon_lr=0.0), None, tmp_path)
    kept = run.trainer.model.network.state_dict()
    assert all(torch.equal(kept[key], value) for key, value in pruned.state_dict().items() if "weight" in key)


def test_the_last_map_in_training_is_the_network_s(pruned):
    """Theorem: head(double(x)) = double(head(x)), so training may leave the last doubling out."""
    images = torch.rand(2, 3, 64, 96)
    model = DeeplySupervised(FastDepth(PRUNED)).eval()
    model.network.load_state_dict(pruned.state_dict())
    with torch.no_grad():
        expected = pruned(images)
        assert model(images, 5).shape == (2, 1, 32, 48)
        assert torch.allclose(model.predictor(5)(images), expected, atol=1e-5)
        assert [model(images, stages).shape[-1] for stages in (1, 2, 3, 4)] == [3, 6, 12, 24]


def test_the_loss_is_zero_for_the_truth_and_ignores_unknown_pixels():
    depth = torch.rand(2, 1, 8, 8) + 1
    assert loss(depth, depth).item() == 0
    unknown = depth.clone()
    unknown[..., :3, :] = 0
    assert loss(depth * torch.where(unknown > 0, 1.0, 7.0), unknown).item() == 0
    assert loss(depth + 0.1, depth).item() > 0.1


@pytest.mark.parametrize("shape", [(24, 24), (16, 56), (56, 16)])
def test_orthogonal_brings_singular_values_to_about_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert values.min() > 0.3
    assert values.max() < 1.4


def test_muon_takes_the_matrices_and_moves_each_by_its_rate():
    network = FastDepth(PRUNED)
    initialise(network, torch.Generator().manual_seed(0))
    matrices, rest = split(network)
    assert len(matrices) == 13 + 5  # the head has one row only
    assert len(matrices) + len(rest) == len(list(network.parameters()))
    weight = torch.nn.Parameter(torch.randn(32, 16, 1, 1))
    before = weight.detach().clone()
    weight.grad = torch.randn_like(weight)
    Muon([weight], 0.1, weight_decay=0.0).step()
    moved = torch.linalg.svdvals((before - weight.detach()).flatten(1))
    assert 0.3 * 0.1 * 2**0.5 < moved.min() <= moved.max() < 1.4 * 0.1 * 2**0.5


def test_a_run_learns(given, tmp_path):
    """Sixty steps on three pictures: the loss must fall a good deal."""
    recipe = Recipe((Phase(64, 4, 240, 4),), lr=0.05, color_jitter=0.2)
    train(PRUNED, recipe, *given, tmp_path)
    run = training.Run(PRUNED, recipe, None, tmp_path / "fresh")
    images, depths = training.batch(
        [(given[0]["frames"], 8)], Phase(64, 8, 8), 4, 0.0, torch.Generator().manual_seed(1)
    )
    trained = training.Run(PRUNED, recipe, None, tmp_path)
    with torch.no_grad():
        for r in (run, trained):
            r.trainer.model.train()
        assert loss(trained.trainer.model(images, 4), depths) < 0.6 * loss(run.trainer.model(images, 4), depths)


def test_the_rate_warms_up_and_falls_by_pixels():
    steps = list(Recipe((Phase(32, 4, 400), Phase(64, 4, 400))).steps())
    rates = [rate for _, _, rate in steps]
    assert len(steps) == 200
    assert rates[0] < 0.05
    assert max(rates) <= 1.002
    assert rates[-1] < 0.01
    assert rates[100] > 0.85  # the second phase has four fifths of the pixels, and of the cosine


def test_every_so_many_steps_go_through_the_whole_decoder():
    stages = [stages for _, stages, _ in Recipe((Phase(32, 4, 24, 4, full_decoder_every=3), Phase(32, 4, 8))).steps()]
    assert stages == [5, 4, 4, 5, 4, 4, 5, 5]


def test_a_phase_may_deal_out_its_batches_otherwise(given, tmp_path, monkeypatch):
    (tmp_path / "recipe.toml").write_text(
        "version = 2\nphases = [{ side = 32, batch = 4, samples = 4 }, "
        "{ side = 32, batch = 4, samples = 4, sampling_weights = { frames = 1 } }]\n"
    )
    recipe, dealt, real = Recipe.read(tmp_path / "recipe.toml"), [], training.batch

    def counting(sources, *rest, **more):
        dealt.append([count for _, count in sources])
        return real(sources, *rest, **more)

    monkeypatch.setattr(training, "batch", counting)
    train(PRUNED, recipe, *given, tmp_path / "run")
    assert dealt == [[2, 2], [4, 0]]


def test_a_phase_that_freezes_bn_keeps_the_running_statistics(given, tmp_path, pruned):
    recipe = Recipe((Phase(32, 2, 8, freeze_bn=True),))
    train(PRUNED, recipe, *given, tmp_path, pruned)
    run = training.Run(PRUNED, recipe, pruned, tmp_path)
    before = pruned.state_dict()
    for name, after in run.trainer.model.network.state_dict().items():
        assert torch.equal(after, before[name]) == ("running" in name or "num_batches" in name), name
    with pytest.raises(ZooError, match="a phase with freeze_bn needs running statistics"):
        train(PRUNED, recipe, *given, tmp_path / "random")
    assert not (tmp_path / "random").exists()


def test_sources_that_are_not_there_are_said_before_anything_runs(given, tmp_path):
    recipe = Recipe((Phase(32, 2, 4), Phase(32, 2, 4, sampling_weights={"rooms": 1.0})))
    with pytest.raises(ZooError, match="samples from rooms, and none of these is given; given: frames, photos"):
        train(PRUNED, recipe, *given, tmp_path / "run")
    assert not (tmp_path / "run").exists()
