"""Bundling a run: weights, card, recipe and record, from the folder that training left."""

import shutil
import tomllib

import pytest
from PIL import Image

from conftest import small_frames
from zoo.data import store
from zoo.data.frames import frames
from zoo.errors import ZooError
from zoo.evaluation.evaluate import evaluation_frames
from zoo.evaluation.protocols import PROTOCOLS
from zoo.release import release
from zoo.training.recipe import Recipe
from zoo.training.train import train
from zoo.variant import FOLDER, parse, variant
from zoo.weights import checkpoint

NAME = "fastdepth_netadapt"
RECIPE = "version = 2\nphases = [{ side = 32, batch = 2, samples = 4 }]\n"


def quiet(what, done, total):
    pass


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where releases go, a run to release, the frames it learned from, the teacher, and the recipe."""
    shutil.copytree(FOLDER, tmp_path / "variants")
    if (tmp_path / "variants" / f"{NAME}.toml").exists():  # as before its first release
        shutil.move(tmp_path / "variants" / f"{NAME}.toml", tmp_path / "variants" / "study")
    for name, folder in (("FOLDER", "variants"), ("BUNDLED", "checkpoints"), ("RECIPES", "recipes"), ("DOCS", "docs")):
        monkeypatch.setattr(release, name, tmp_path / folder)
    folder = tmp_path / "frames"
    folder.mkdir()
    found = frames(small_frames(folder, 3))
    monkeypatch.setattr(release, "rooms", lambda seeds: found)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    stores = {"frames": store.measured(found[:2], tmp_path / "data", quiet)}
    ready, _ = evaluation_frames(found[2:], PROTOCOLS["published"], quiet)
    recipe = Recipe.read(tmp_path / "recipe.toml")
    train(variant(NAME), recipe, stores, ready, tmp_path / "run")
    return tmp_path


def bundle(place, **changes):
    words = {"hardware": "a core", "story": "Began at random.", "command": ["zoo train"], "hold_out": 1}
    words |= {"config": place / "recipe.toml", "dataset": place / "frames", "teacher": place / "run"} | changes
    release.release(words.pop("run", place / "run"), **words)


def test_a_run_becomes_a_bundled_checkpoint_and_its_variant_has_weights(place):
    bundle(place)
    folder = place / "checkpoints" / NAME
    weights = folder / "model.safetensors"
    assert weights.read_bytes() == (place / "run" / "model.safetensors").read_bytes()
    assert not (place / "variants" / "study" / f"{NAME}.toml").exists()
    record = parse(tomllib.loads((place / "variants" / f"{NAME}.toml").read_text())).weights
    checkpoint.verify(weights, record.sha256, record.size)
    text = (folder / "README.md").read_text()
    for words in ("| 1 held-out frames", "| 3 rendered rooms", "never trained on rendered rooms", "\n    zoo train\n"):
        assert words in text
    assert "differs by 0%" in text  # it is its own teacher here
    assert (place / "recipes" / f"{NAME}.toml").read_text() == RECIPE
    with Image.open(folder / "example.jpg") as shown:
        assert shown.width > shown.height

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    bundle(place, run=folder, hardware="", story="", command=None, config=None)  # its card anew
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_does_not_belong_to_a_run_is_refused(place):
    (place / "other.toml").write_text(RECIPE + "seed = 7\n")
    with pytest.raises(ZooError, match="not the recipe of this run"):
        bundle(place, config=place / "other.toml")
    with pytest.raises(ZooError, match="its card needs --hardware, --story and --command"):
        bundle(place, story="")
    assert not (place / "checkpoints").exists()
