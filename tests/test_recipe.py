"""Recipes: what they may say, and that those of version 1 are read."""

import pytest

from conftest import ROOT
from zoo.errors import ZooError
from zoo.training import recipe_v1
from zoo.training.recipe import Phase, Recipe

PHASE = "side = 32, batch = 2, samples = 2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "phases = 3",
        "phases = [{ side = 100, batch = 2, samples = 2 }]",
        "phases = [{ side = 32, batch = 2.5, samples = 2 }]",
        "phases = [{ side = 32, batch = true, samples = 2 }]",
        f"phases = [{{ {PHASE}, stages = 6 }}]",
        f"phases = [{{ {PHASE}, full_decoder_every = -1 }}]",
        f"phases = [{{ {PHASE}, scale_bias = 0 }}]",
        f"phases = [{{ {PHASE}, scale_bias = nan }}]",
        f"phases = [{{ {PHASE}, mixup = 1.5 }}]",
        f"phases = [{{ {PHASE}, freeze_bn = 1 }}]",
        f"phases = [{{ {PHASE}, whole = 1 }}]",
        f"phases = [{{ {PHASE} }}]\ncolour = 1",
        f"phases = [{{ {PHASE} }}]\nlr = '1'",
        f"phases = [{{ {PHASE} }}]\nseed = inf",
        f"phases = [{{ {PHASE}, sampling_weights = {{ snapshots = 1 }} }}]",
        f"phases = [{{ {PHASE} }}]\nsampling_weights = {{ frames = 1, photos = -1 }}",
        f"phases = [{{ {PHASE} }}]\nsampling_weights = {{ frames = 0 }}",
        f"phases = [{{ {PHASE} }}]\nsampling_weights = {{ frames = 'x' }}",
        f"phases = [{{ {PHASE} }}]\nsampling_weights = {{}}",
        f"phases = [{{ {PHASE} }}]\nsampling_weights = 1",
        "[",
    ],
)
def test_a_recipe_that_makes_no_sense_is_named(tmp_path, text):
    (tmp_path / "recipe.toml").write_text(f"version = 2\n{text}")
    with pytest.raises(ZooError, match=r"recipe\.toml: ") as refused:
        Recipe.read(tmp_path / "recipe.toml")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"phases = [{{ {PHASE}, shares = [1, 0] }}]", "one each for frames, photos, rooms"),
        (f"phases = [{{ {PHASE} }}]\nshares = [1, -1, 0]", "each with 0 or more"),
        (f"phases = [{{ {PHASE} }}]\nshares = 1", "not a recipe"),
        (f"phases = [{{ {PHASE}, blend = 1.5 }}]", "mixup from 0 to 1"),
        (f"phases = [{{ {PHASE} }}]\ncolour = 1", "unknown field 'colour'"),
        (f"phases = [{{ {PHASE} }}]\nlr = 1", "unknown field 'lr'; a recipe with the names of version 2 begins with"),
        (f"version = 3\nphases = [{{ {PHASE} }}]", "a recipe of version 3; versions 1 and 2 are read"),
    ],
)
def test_what_another_version_cannot_say_is_named(tmp_path, text, reason):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(ZooError, match=rf"recipe\.toml: .*{reason}"):
        Recipe.read(tmp_path / "recipe.toml")


@pytest.mark.parametrize("path", sorted((ROOT / "zoo" / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_reads_and_its_record_too(path):
    recipe = Recipe.read(path)
    assert "version = 2" in path.read_text()
    assert Recipe.parse(recipe.record()) == recipe


OLD = """
phases = [{ side = 160, batch = 16, samples = 600, stages = 4, whole = 4, frozen = true, zoom_power = 2, blend = 0.5 },
          { side = 224, batch = 16, samples = 60, shares = [1, 0, 0] }]
rate = 8e-4
matrix_rate = 0.0055
decay = 0.02
shares = [0.35, 0.65, 0]
jitter = 0.8
mixed = true
seed = 13
"""
# as Python printed it in version 1: fields of phases that came later appear only where they were used
PRINTED = (
    "fastdepth Recipe(phases=(Phase(side=160, batch=16, samples=600, stages=4, whole=4, frozen=True, zoom_power=2, "
    "blend=0.5), Phase(side=224, batch=16, samples=60, stages=5, whole=0, shares=(1.0, 0.0, 0.0))), rate=0.0008, "
    "matrix_rate=0.0055, decay=0.02, shares=(0.35, 0.65, 0.0), jitter=0.8, mixed=True, seed=13)"
)
NEW = Recipe(
    (
        Phase(160, 16, 600, 4, full_decoder_every=4, freeze_bn=True, scale_bias=2, mixup=0.5),
        Phase(224, 16, 60, sampling_weights={"frames": 1.0}),
    ),
    lr=8e-4,
    muon_lr=0.0055,
    weight_decay=0.02,
    sampling_weights={"frames": 0.35, "photos": 0.65},
    color_jitter=0.8,
    amp=True,
    seed=13,
)


def test_a_recipe_of_version_1_is_read(tmp_path):
    (tmp_path / "old.toml").write_text(OLD)
    assert Recipe.read(tmp_path / "old.toml") == NEW
    (tmp_path / "short.toml").write_text(f"phases = [{{ {PHASE} }}]")
    assert Recipe.read(tmp_path / "short.toml") == Recipe((Phase(32, 2, 2),))  # the defaults are the same


def test_what_a_run_of_version_1_said_of_itself_is_read():
    name, record = recipe_v1.parse_text(PRINTED)
    assert (name, Recipe.parse(record)) == ("fastdepth", NEW)
    name, search = recipe_v1.parse_text(
        f"a Search(budget=np.float64(0.5), unit='MACs', short={PRINTED[10:]}, first=0.1)"
    )
    assert (name, search["budget"], search["unit"], Recipe.parse(search["short"])) == ("a", 0.5, "MACs", NEW)


@pytest.mark.parametrize(
    "text", ["", "a", "a Recipe(", "a __import__('os').system('x')", "a Recipe(b=open('x'))", "a " + "(" * 9999]
)
def test_other_texts_are_refused_and_nothing_in_them_is_run(text):
    with pytest.raises(ZooError, match=r"not the name of a run|not a recipe"):
        Recipe.parse(recipe_v1.parse_text(text)[1])


def test_notes_of_version_1_are_read():
    old = {
        "run": PRINTED,
        "steps": 3,
        "held_out": {"frames": 80, "recipe": "published"},
        "commands": ["zoo train --frames nyu_train/ --from runs/earlier -o runs/x"],
    }
    new = recipe_v1.notes(old)
    assert Recipe.parse(new.pop("recipe")) == NEW
    assert new == {
        "steps": 3,
        "held_out": {"frames": 80, "protocol": "published"},
        "commands": ["zoo train --dataset nyu_train/ --init runs/earlier -o runs/x"],
    }
    again = recipe_v1.notes(new | {"recipe": NEW.record()})
    assert again == new | {"recipe": NEW.record()}
