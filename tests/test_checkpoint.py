import dataclasses
import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import zoo as package
from zoo.errors import ZooError
from zoo.inference import backends as runtimes
from zoo.model.network import FastDepth
from zoo.variant import catalogue, variant
from zoo.weights import checkpoint, hub


@pytest.fixture
def folder(pruned, tmp_path):
    checkpoint.save(pruned, tmp_path / "made", {"why": "test"})
    return tmp_path / "made"


def test_a_folder_gives_back_the_very_same_network(pruned, folder):
    again = package.load(str(folder))
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(again(image), pruned(image))
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert checkpoint.config(folder)[1] == {"why": "test"}


def damage(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("head.conv.weight"), "head.conv.weight is missing"),
        (lambda t: t.update(extra=torch.zeros(1)), "extra is unknown"),
        (lambda t: t.update({"head.norm.bias": torch.zeros(2)}), r"head.norm.bias has shape \(2,\) instead of \(1,\)"),
        (lambda t: t["head.norm.bias"].fill_(float("nan")), "head.norm.bias holds values that are not finite"),
    ],
)
def test_a_file_that_does_not_fit_says_what_is_wrong(folder, change, message):
    damage(folder, change)
    with pytest.raises(ZooError, match=message):
        package.load(str(folder))


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x00\x10\x00\x00\x00\x00\x00\x00{}"])
def test_a_file_that_is_no_safetensors_is_named(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ZooError, match=r"model\.safetensors: not a readable safetensors file"):
        package.load(str(folder))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "fastdepth-zoo/1"}', '{"format": "other"}'])
def test_a_broken_config_is_named(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ZooError, match=r"config\.json: "):
        package.load(str(folder))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=15) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=15,
)


@given(st.data())
def test_a_config_of_anything_is_read_or_refused(data):
    """And what is read is within limits, so that a network of it can be built."""
    record = json.loads((hub.BUNDLED / "fastdepth_pruned" / "config.json").read_text())
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(record["variant"])), anything, max_size=2))
    record["variant"] |= changed | data.draw(st.just({}) | st.dictionaries(st.text(max_size=9), anything, max_size=1))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(record))
        try:
            found, _ = checkpoint.config(Path(folder))
        except ZooError as error:
            assert "config.json: " in str(error)
        else:
            assert max(found.encoder_widths + found.decoder_widths) <= 2048
            assert Path("build", found.name).parent == Path("build")


def test_a_folder_s_own_word_on_its_weights_is_not_taken(folder):
    record = json.loads((folder / "config.json").read_text())
    record["variant"]["weights"] = dataclasses.asdict(variant("fastdepth").weights)
    (folder / "config.json").write_text(json.dumps(record))
    assert checkpoint.config(folder)[0].weights is None
    assert runtimes.find(str(folder), None, 1).weights == checkpoint.digest(folder / "model.safetensors")


def test_every_promised_checkpoint_is_bundled_and_intact():
    for v in catalogue():
        if v.weights:
            path = hub.resolve(v)
            checkpoint.verify(path, v.weights.sha256, v.weights.size)
            checkpoint.restore(FastDepth(v), path)
            bundled, _ = checkpoint.config(path.parent)
            assert (bundled.encoder_widths, bundled.decoder_widths) == (v.encoder_widths, v.decoder_widths)
            assert (path.parent / "README.md").is_file()


@pytest.mark.parametrize("flip", [True, False])
def test_bundled_weights_that_changed_are_refused(tmp_path, monkeypatch, flip):
    v = variant("fastdepth_pruned")
    content = bytearray(hub.resolve(v).read_bytes())
    if flip:
        content[-1] ^= 1
    else:
        del content[-1]
    (tmp_path / v.name).mkdir()
    (tmp_path / v.name / v.weights.file).write_bytes(bytes(content))
    monkeypatch.setattr(hub, "BUNDLED", tmp_path)
    with pytest.raises(ZooError, match="sha256 differs" if flip else "bytes, expected"):
        package.load("fastdepth_pruned")


def test_random_weights_are_only_given_when_asked_for():
    torch.manual_seed(0)
    one = package.load("fastdepth_pruned", pretrained=False)
    two = package.load("fastdepth_pruned", pretrained=False)
    assert not torch.equal(one.head.conv.weight, two.head.conv.weight)
    with pytest.raises(ZooError, match="choose one"):
        package.load("fastdepth_pruned", pretrained=False, weights="x")
    with pytest.raises(TypeError):
        package.load("fastdepth_pruned", nonsense=1)


def test_a_variant_without_weights_says_so(tmp_path, pruned):
    checkpoint.save(pruned, tmp_path / "made")
    record = json.loads((tmp_path / "made" / "config.json").read_text())["variant"]
    from zoo.variant import parse

    with pytest.raises(ZooError, match="has no pretrained weights"):
        hub.resolve(parse(record))


def test_a_network_is_ready_to_use():
    network = package.load()
    assert not network.training
    assert network.variant.name == "fastdepth_pruned"
