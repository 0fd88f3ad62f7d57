"""ONNX files of every form run where they say they run, say what they take, and are imported again."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from zoo import image
from zoo.errors import ZooError
from zoo.exporters import export
from zoo.exporters import onnx as exporter
from zoo.importers import import_file
from zoo.inference.predictor import Predictor

ROOM = Path(__file__).parent.parent / "examples" / "room.jpg"
ALL = {"free": ("batch", "size"), "opset": 17, "dtype": "f16"}
FORMS = {
    "free": {"free": ("batch", "size")},
    "lowest": {"opset": exporter.LOWEST},
    "pixels": {"pixels": True, "free": ("batch",)},
    "everything": ALL,
    "pixels in f16": {"pixels": True, "dtype": "f16", "opset": exporter.LOWEST_PIXELS},
}


@pytest.fixture(scope="module")
def written(pruned, onnx_once, tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("onnx"), {}
    for name, options in FORMS.items():
        made[name] = folder / f"{name}.onnx"
        export(pruned, "onnx", made[name], 64, 96, **options)
    return made


def run(path, given):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["depth"], {session.get_inputs()[0].name: given})[0]


@pytest.mark.parametrize(("form", "tolerance"), [("free", 1e-4), ("everything", exporter.ROUNDED)])
@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (2, 3, 64, 96), (5, 3, 128, 32)])
def test_batch_and_sides_are_free(written, pruned, form, tolerance, shape):
    import torch

    given = np.random.default_rng(2).random(shape, np.float32)
    found = run(written[form], given)
    assert found.dtype == np.float32
    with torch.no_grad():
        assert np.abs(found - pruned(torch.from_numpy(given)).numpy()).max() < tolerance


@pytest.mark.parametrize("form", ["pixels", "pixels in f16"])
def test_pixels_in_are_the_metres_that_predict_gives(written, pruned, form):
    picture = image.read(ROOM)[:300, :400]
    depth = run(written[form], picture[None])
    assert depth.shape == (1, 300, 400)
    assert np.abs(depth[0] - Predictor(pruned, 64, 96)(picture)).max() < exporter.ROUNDED


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_says_what_it_takes(written, form):
    model, options = onnx.load(written[form]), FORMS[form]
    said = {each.key: each.value for each in model.metadata_props}
    assert said["model"] == "fastdepth_pruned"
    assert "metres" in said["output"]
    assert ("uint8" in said["input"]) == ("pixels" in options)
    assert said["dtype"] == options.get("dtype", "f32")
    if "opset" in options:
        assert model.opset_import[0].version == options["opset"]
    kinds = {t.data_type for t in model.graph.initializer if len(t.dims) == 4}
    assert kinds == {onnx.TensorProto.FLOAT16 if said["dtype"] == "f16" else onnx.TensorProto.FLOAT}
    axes = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert ("batch" in axes) == ("batch" in options.get("free", ()))
    assert ("height" in axes) == ("pixels" in options or "size" in options.get("free", ()))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_imported(written, pruned, form):
    assert import_file(written[form], pruned.variant).variant == pruned.variant


@pytest.mark.parametrize(
    ("form", "options", "words"),
    [
        ("onnx", {"opset": 13}, "--opset 13: the lowest is 14"),
        ("onnx", {"opset": 17, "pixels": True}, "--opset 17: the lowest is 18 with --pixels"),
        ("onnx", {"opset": 10**6}, "--opset 1000000: "),
        ("onnx", {"free": ("depth",)}, "--dynamic depth: choose of batch, size"),
        ("onnx", {"free": ("size",), "pixels": True}, "takes pictures of any size already"),
        ("onnx", {"dtype": "int8"}, "--dtype int8: an ONNX file holds f32 or f16"),
        ("tflite", {"dtype": "f16"}, "go with --format onnx, not tflite"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(pruned, onnx_once, tmp_path, form, options, words):
    with pytest.raises(ZooError) as refusal:
        export(pruned, form, tmp_path / "x", 32, 32, **options)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []
