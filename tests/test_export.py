import sys

import numpy as np
import pytest
import tflite
import torch
from ai_edge_litert.interpreter import Interpreter

from zoo.errors import ZooError
from zoo.exporters import FORMATS, export
from zoo.exporters.tflite import content
from zoo.importers import import_file
from zoo.weights.load import load


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("sides", [(224, 224), (96, 160)])
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_computes_the_same(pruned, onnx_once, tmp_path, form, sides):
    path = tmp_path / f"network{FORMATS[form]}"
    assert export(pruned, form, path, *sides) <= 1e-4
    image = np.random.default_rng(1).random((1, 3, *sides), np.float32)
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert [i.name for i in session.get_inputs()] == ["image"]
        found = session.run(["depth"], {"image": image})[0]
    elif form == "tflite":
        found = by_litert(path, image)
    else:
        module = torch.export.load(path).module() if form == "pt2" else torch.jit.load(str(path))
        found = module(torch.from_numpy(image)).detach().numpy()
    with torch.no_grad():
        assert np.abs(found - pruned(torch.from_numpy(image)).numpy()).max() < 1e-4


def by_litert(path, image):
    """As its users run it, with XNNPACK."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (source["name"], result["name"]) == ("image", "depth")
    interpreter.set_tensor(source["index"], image.transpose(0, 2, 3, 1))
    interpreter.invoke()
    return interpreter.get_tensor(result["index"]).transpose(0, 3, 1, 2)


def test_a_tflite_file_is_imported_as_the_network_it_came_from(pruned, tmp_path):
    path = tmp_path / "network.tflite"
    export(pruned, "tflite", path, 64, 96)
    again, image = import_file(path), torch.rand(1, 3, 64, 96)
    assert again.variant.name == "fastdepth_pruned"
    with torch.no_grad():
        assert (again(image) - pruned(image)).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["fastdepth_concat", "fastdepth_dense"])
def test_networks_of_the_study_are_written_as_tflite(tmp_path, name):
    assert export(load(name, pretrained=False), "tflite", tmp_path / "x.tflite", 32, 64) <= 1e-5


def test_weights_lie_where_vectors_can_be_loaded(pruned):
    made = content(pruned, 32, 32)
    model = tflite.Model.GetRootAs(made, 0)
    for i in range(1, model.BuffersLength()):
        weights = model.Buffers(i).DataAsNumpy()
        assert (weights.ctypes.data - np.frombuffer(made, np.uint8).ctypes.data) % 16 == 0


def test_an_operation_that_is_not_translated_is_named(pruned, tmp_path):
    other = torch.nn.Sequential(pruned, torch.nn.Sigmoid())
    with pytest.raises(ZooError, match=r"no TFLite operator is known here for aten\.sigmoid"):
        export(other, "tflite", tmp_path / "x.tflite", 32, 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_without_its_extra_the_error_says_what_to_install(pruned, tmp_path, monkeypatch, form):
    for module in ("onnxruntime", "ai_edge_litert.interpreter"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ZooError, match=r"pip install 'fastdepth-zoo\[export\]'"):
        export(pruned, form, tmp_path / "x", 32, 32)


def test_what_differs_is_not_written(pruned, tmp_path, monkeypatch):
    import zoo.exporters as module

    monkeypatch.setattr(module, "_torchscript", lambda network, image, path: path.touch() or network(image) + 1)
    with pytest.raises(ZooError, match="differs from eager by 1"):
        export(pruned, "torchscript", tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()
