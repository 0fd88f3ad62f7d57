import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo as package
from conftest import complaint
from zoo import importers as convert
from zoo.errors import ZooError
from zoo.evaluation import metrics
from zoo.model.network import FastDepth
from zoo.variant import variant


@pytest.fixture(scope="module")
def original(data):
    return data / "original" / "fast_depth_224.tflite"


def test_the_authors_weights_prove_the_network(data, original, tmp_path, zoo):
    """Imported, their network sees what its authors published: delta1 of 0.77 and more on their own sample."""
    code, _, stderr = zoo("import", original, "--variant", "fastdepth_pruned", "-o", tmp_path / "original")
    assert code == 0, stderr
    network = package.load(str(tmp_path / "original"))
    picture = np.load(data / "original" / "rgb.npy").transpose(2, 0, 1)[None].astype(np.float32)
    with torch.inference_mode():
        depth = network(torch.from_numpy(picture))[0, 0].numpy()
    found = metrics.measure(depth, np.load(data / "original" / "depth.npy").astype(np.float32))
    assert found["delta1"] >= 0.77


def test_dequantised_tensors_are_those_read_independently(data, original):
    """Against the float32 copy of the same network that was derived from the file by other code."""
    from safetensors.numpy import load_file

    independent = load_file(data / "original" / "fastdepth_pruned_bnfolded_from_int8.safetensors")
    layers = convert.read(original)
    names = ["conv0.conv"] + [f"conv{i}.{part}" for i in range(1, 14) for part in ("dw", "pw")]
    names += [f"decode_conv{j}.{part}" for j in range(1, 6) for part in ("dw", "pw")] + ["decode_conv6.pw"]
    for name, layer in zip(names, layers, strict=True):
        assert np.allclose(layer.weight, independent[f"{name}.weight"], atol=1e-6), name
        assert np.allclose(layer.bias, independent[f"{name}.bias"], atol=1e-5), name


def test_the_wrong_variant_is_named(original, tmp_path, zoo):
    line = complaint(zoo("import", original, "--variant", "fastdepth", "-o", tmp_path / "x"))
    assert "encoder.0 has shape (16, 3, 3, 3), variant fastdepth needs (32, 3, 3, 3)" in line
    assert not (tmp_path / "x").exists()


def test_an_encoder_alone_is_one_to_begin_with(tmp_path, zoo):
    source = FastDepth(variant("fastdepth_lite"))
    state = {key: tensor for key, tensor in source.state_dict().items() if key.startswith("encoder.")}
    torch.save(state | {"_fc.weight": torch.zeros(10, 4)}, tmp_path / "classifier.pth")
    words = ("import", tmp_path / "classifier.pth", "--encoder", "-o", tmp_path / "start")
    assert "--encoder needs --variant" in complaint(zoo(*words))
    assert "encoder.1.pointwise.conv.weight is missing" in complaint(zoo(*words, "--variant", "fastdepth"))
    assert zoo(*words, "--variant", "fastdepth_lite")[0] == 0
    found = package.load(str(tmp_path / "start")).state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in state.items())
    assert zoo(*words, "--variant", "fastdepth_lite")[0] == 0  # its own files, over again
    again = package.load(str(tmp_path / "start")).state_dict()
    assert all(torch.equal(again[key], tensor) for key, tensor in found.items())


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_file_is_imported_or_refused_never_worse(original, tmp_path_factory, data):
    whole = original.read_bytes()
    content = bytearray(whole[: data.draw(st.sampled_from([0, 4, 8, 9, 100, 5000, len(whole) // 2, len(whole)]))])
    for _ in range(data.draw(st.integers(0, 8)) if len(content) > 8 else 0):
        # the tables that say where things are lie at both ends
        place = data.draw(st.integers(8, min(len(content) - 1, 20000)))
        content[place if data.draw(st.booleans()) else -place % len(content)] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "network.tflite"
    path.write_bytes(bytes(content))
    try:
        convert.fill(variant("fastdepth_pruned"), convert.read(path), path)
    except ZooError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" * 10, b"\x80\x02cos\nsystem\n."])
def test_other_formats_are_refused_unread(tmp_path, content):
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    with pytest.raises(ZooError, match=r"unknown format; zoo import reads \.tflite"):
        convert.read(path)
