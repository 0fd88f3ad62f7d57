"""ONNX files in: ours, with normalisation left apart, quantised, damaged, hostile."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from zoo import importers as convert
from zoo.errors import ZooError
from zoo.exporters import export


@pytest.fixture(scope="module")
def exported(pruned, onnx_once, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "network.onnx"
    export(pruned, "onnx", path, 64, 64)
    return path


@pytest.fixture(scope="module")
def image():
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def depth(network, image):
    with torch.inference_mode():
        return network(image)


def rewritten(exported, path, change):
    """The model with what `change` makes of each convolution's (weight, bias): (nodes before, inputs, nodes behind)."""
    model = onnx.load(exported)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes, added = [], []
    for node in model.graph.node:
        if node.op_type != "Conv":
            nodes.append(node)
            continue
        before, behind, constants = change(node, *(tensors[name] for name in node.input[1:3]))
        nodes += [*before, node, *behind]
        added += [numpy_helper.from_array(value, name) for name, value in constants.items()]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(added)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def test_what_was_exported_comes_back(exported, pruned, image):
    network = convert.import_file(exported)
    assert network.variant.name == "fastdepth_pruned"
    assert float((depth(network, image) - depth(pruned, image)).abs().max()) < 1e-4


def test_normalisation_left_apart_is_folded_in(exported, pruned, image, tmp_path):
    rng = np.random.default_rng(0)

    def change(node, weight, bias):
        """conv(x, w, b) as norm(conv(x, w / s, none)), with the s and shift that undo it."""
        name, count = node.output[0], len(weight)
        variance, scale = (rng.uniform(0.5, 2, count).astype(np.float32) for _ in range(2))
        mean = rng.normal(size=count).astype(np.float32)
        factor = scale / np.sqrt(variance + np.float32(1e-3))
        apart = {
            "w": weight / factor.reshape(-1, 1, 1, 1),
            "s": scale,
            "b": bias + mean * factor,
            "m": mean,
            "v": variance,
        }
        del node.input[1:]
        node.input.append(f"{name}.w")
        node.output[0] = f"{name}.raw"
        inputs = [f"{name}.{key}" for key in ("raw", "s", "b", "m", "v")]
        norm = helper.make_node("BatchNormalization", inputs, [name], epsilon=1e-3)
        return [], [norm], {f"{name}.{key}": np.asarray(value, np.float32) for key, value in apart.items()}

    network = convert.import_file(rewritten(exported, tmp_path / "apart.onnx", change))
    assert float((depth(network, image) - depth(pruned, image)).abs().max()) < 1e-3


@pytest.mark.parametrize("per_filter", [True, False])
def test_quantised_weights_are_read(exported, tmp_path, per_filter):
    expected = []

    def change(node, weight, bias):
        name = node.output[0]
        most = np.abs(weight).max((1, 2, 3) if per_filter else None)
        scale = np.maximum(np.asarray(most, np.float32) / 127, 1e-6)
        shaped = scale.reshape(-1, 1, 1, 1) if per_filter else scale
        stored = np.rint(weight / shaped).astype(np.int8)
        expected.append(stored * shaped)
        node.input[1] = f"{name}.w"
        parts = [f"{name}.{key}" for key in ("q", "s", "z")]
        axis = {"axis": 0} if per_filter else {}
        made = helper.make_node("DequantizeLinear", parts, [f"{name}.w"], **axis)
        values = (stored, scale, np.zeros(scale.shape, np.int8))
        return [made], [], dict(zip(parts, values, strict=True))

    layers = convert.read(rewritten(exported, tmp_path / "int8.onnx", change))
    for layer, weight in zip(layers, expected, strict=True):
        np.testing.assert_allclose(layer.weight, weight, rtol=1e-6, atol=1e-9)


def test_weights_in_another_file_are_not_looked_for(exported, tmp_path):
    onnx.save(onnx.load(exported), tmp_path / "apart.onnx", save_as_external_data=True, size_threshold=0, location="x")
    with pytest.raises(ZooError, match="its weights lie in another file"):
        convert.import_file(tmp_path / "apart.onnx")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_imported_or_refused_never_worse(exported, tmp_path_factory, data):
    whole = exported.read_bytes()
    content = bytearray(whole[: data.draw(st.sampled_from([0, 1, 100, len(whole) // 2, len(whole)]))])
    for _ in range(data.draw(st.integers(0, 8)) if content else 0):
        place = data.draw(st.integers(0, min(len(content) - 1, 20000)))
        content[place if data.draw(st.booleans()) else -place % len(content)] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "network.onnx"
    path.write_bytes(bytes(content))
    try:
        convert.import_file(path)
    except ZooError as error:
        assert str(path) in str(error)
