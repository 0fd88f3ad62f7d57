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


@pytest.mark.parametrize("save", [torch.save, "safetensors", pytest.param("pt2", marks=pytest.mark.slow)])
def test_bfloat16_is_read(pruned, tmp_path, save):
    import copy

    from safetensors.torch import save_file

    rough = copy.deepcopy(pruned).bfloat16()
    path = tmp_path / {"safetensors": "a.safetensors", "pt2": "a.pt2"}.get(save, "a.pth")
    if save == "pt2":
        image = torch.zeros(1, 3, 32, 32, dtype=torch.bfloat16)
        torch.export.save(torch.export.export(rough, (image,)), path)
    else:
        (save_file if save == "safetensors" else save)(rough.state_dict(), path)
    found = convert.import_file(path)
    assert torch.equal(found.head.conv.weight, rough.head.conv.weight.float())


def test_the_name_of_a_larger_module_s_part_is_stripped(pruned, tmp_path):
    state = {f"model.depth_net.{key}": value for key, value in pruned.state_dict().items()}
    torch.save({"state_dict": state | {"pose_net.0.weight": torch.zeros(3)}}, tmp_path / "a.ckpt")
    found = convert.import_file(tmp_path / "a.ckpt")
    assert torch.equal(found.head.conv.weight, pruned.head.conv.weight)
    two = state | {f"teacher.{key.removeprefix('model.')}": value for key, value in state.items()}
    torch.save(two, tmp_path / "two.pth")
    with pytest.raises(ZooError, match=r"holds several networks, model\.depth_net\., teacher\.depth_net\."):
        convert.import_file(tmp_path / "two.pth")
