"""Networks in integers: eager torch, the plan's reference, every rewrite and the compiled artifact give the same ones."""

import json

import numpy as np
import pytest
import torch

import zoo as package
from conftest import FAMILY, seeded, small_frames
from zoo.cli.plans import in_dtype, plan_of
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.kernels.artifact.build import build
from zoo.kernels.device import device, host
from zoo.kernels.dtype import INT8
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.quantize import IMAGE, Integers, quantize
from zoo.kernels.ir.reference import interpret
from zoo.kernels.ir.rewrite import ALL, fold_norm, rewrite
from zoo.kernels.ir.trace import trace
from zoo.kernels.runtime.fastdepth import FastDepth as Twin
from zoo.kernels.targets import target_of
from zoo.model.network import FastDepth
from zoo.model.quantized import QuantizedFastDepth
from zoo.model.quantized import quantizable as can_be
from zoo.quantization.calibrate import quantize as calibrate
from zoo.variant import catalogue, variant
from zoo.weights import checkpoint, hub

IMAGES = [torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(i)) for i in range(3)]


@pytest.fixture(scope="module")
def integers():
    return calibrate(seeded("fastdepth_pruned"), IMAGES)


@pytest.fixture(scope="module")
def plan(integers):
    return plan_of(integers, 32, 64)


@pytest.fixture(scope="module")
def saved(integers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8")
    checkpoint.save(integers, folder)
    return folder


def test_integers_are_close_to_the_real_numbers():
    network = package.load("fastdepth_pruned")
    pictures = [
        torch.from_numpy(render(seed, 224, 224)[0].transpose(2, 0, 1)[None] / np.float32(255)) for seed in range(4)
    ]
    whole = calibrate(network, pictures[:3])
    with torch.inference_mode():
        difference = (network(pictures[3]) - whole(pictures[3])).abs()
    assert 0 < difference.mean() < 0.05  # metres


def test_the_plan_s_reference_gives_eager_torch_s_integers(integers, plan):
    image = IMAGES[1][0].numpy()
    found = interpret(plan, image)
    with torch.inference_mode():
        stages = integers.stages(IMAGES[1])
    for name in ("encoder.0", "encoder.5.pointwise", "decoder.1.pointwise", "decoder.3.pointwise"):
        assert found[name].dtype == np.uint8
        stage = stages[name.removesuffix(".pointwise")][0].numpy()
        assert np.array_equal(found[name], stage), name
    assert np.array_equal(found[plan.output], stages["head"][0].numpy())


@pytest.mark.parametrize("theorem", ALL, ids=lambda f: f.__name__)
def test_a_rewrite_keeps_every_integer(plan, theorem):
    image = IMAGES[2][0].numpy()
    assert np.array_equal(interpret(theorem(plan), image)[plan.output], interpret(plan, image)[plan.output])


def test_every_step_of_an_artifact_gives_the_same_integers(plan, tmp_path):
    made_for = target_of(host()).for_dtype(INT8)
    build(plan, made_for, tmp_path / "made", {"name": "x", "weights_sha256": "", "status": "preview"})
    expected = interpret(rewrite(plan, made_for.simd_lanes), IMAGES[0][0].numpy())
    for threads in (1, 2):
        with Twin(tmp_path / "made", threads) as twin:
            depth, seen = twin.observe(IMAGES[0][0].numpy())
            assert twin.manifest["dtype"] == "int8"
        assert np.array_equal(depth, expected[plan.output][0])
        for name, values in seen.items():
            assert np.array_equal(values, expected[name]), name


def test_a_loader_asks_for_the_instruction(plan, tmp_path):
    made_for = target_of(device("rpi5")).for_dtype(INT8)
    assert "+dotprod" in made_for.target["mattr"]
    assert "asimddp" in made_for.cpu_features
    assert target_of(device("rpi4")).for_dtype(INT8) == device("rpi4")


@pytest.mark.parametrize(
    "name", ["lite", "fastdepth_concat", "resnet18_nnconv5", "mobilenet_deconv5", "mobilenet_upproj"]
)
def test_what_integers_are_not_defined_for_is_refused(name):
    with pytest.raises(ZooError, match="int8 is for networks whose layers all end in a ReLU"):
        can_be(FAMILY[name])


def test_a_plan_that_integers_are_not_defined_for_is_refused():
    plan = fold_norm(trace(FastDepth(FAMILY["lite"]).eval(), 32, 32))
    one = np.ones(1)
    layers = {s.name: Integers(one, one, one, IMAGE) for s in plan.steps}
    with pytest.raises(KernelError, match="int8 is for"):
        quantize(plan, layers)


def test_a_checkpoint_in_integers_is_one_like_any_other(integers, saved):
    for loaded in (package.load(str(saved)), package.FastDepth.from_pretrained(saved)):
        assert isinstance(loaded, QuantizedFastDepth)
        assert isinstance(loaded, package.FastDepth)
        with torch.inference_mode():
            assert torch.equal(loaded(IMAGES[0]), integers(IMAGES[0]))
    assert (saved / "model.safetensors").stat().st_size < 1.5e6
    assert package.Predictor(package.load(str(saved)))(np.zeros((40, 60, 3), np.uint8)).shape == (40, 60)


def test_numbers_of_another_kind_are_refused(saved, tmp_path):
    from safetensors.torch import load_file, save_file

    tensors = load_file(saved / "model.safetensors")
    tensors["head.weight"] = tensors["head.weight"].float()
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((saved / "config.json").read_bytes())
    with pytest.raises(ZooError, match=r"head\.weight holds F32 instead of I8"):
        package.load(str(tmp_path))
    config = json.loads((saved / "config.json").read_text())
    config["variant"]["dtype"] = "int4"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ZooError, match="dtype 'int4'; there are f32 and int8"):
        package.load(str(tmp_path))


def test_without_pictures_or_twice_is_refused(integers):
    with pytest.raises(ZooError, match="calibrated on pictures"):
        calibrate(seeded("fastdepth_pruned"), [])
    with pytest.raises(ZooError, match="in int8 already"):
        calibrate(integers, IMAGES)


def test_the_command_says_what_it_costs_and_writes_over_nothing(zoo, tmp_path):
    (tmp_path / "frames").mkdir()
    out = tmp_path / "out"
    words = (
        "quantize",
        "--dataset",
        small_frames(tmp_path / "frames", 4),
        "-o",
        out,
        "--hold-out",
        "2",
        "--images",
        "2",
    )
    code, said, _ = zoo(*words, "--json")
    found = json.loads(said)
    assert (code, found["model"], found["quantized"]["images"]) == (0, "fastdepth_pruned_int8", 2)
    assert found["held_out"]["frames"] == 2
    assert found["held_out"].keys() > found["quantized"]["f32"].keys()
    for name in ("model.safetensors", "config.json", "README.md", "difference.png"):
        assert (out / name).stat().st_size
    assert "delta1" in zoo(*words)[1]  # its own files it replaces
    assert json.loads(zoo("verify", out, "--json")[1])[0]["status"] == "ok"
    (out / "config.json").write_text("{}")
    code, _, complaint = zoo(*words)
    assert code == 2
    assert "config.json" in complaint


def test_a_dtype_is_the_model_s_own_or_that_of_one_made_of_it(saved):
    assert in_dtype("fastdepth_pruned", "int8") == "fastdepth_pruned_int8"
    assert in_dtype("fastdepth_pruned", "f32") == "fastdepth_pruned"
    assert in_dtype(str(saved), "int8") == str(saved)
    for model, dtype, reason in (
        ("fastdepth", "int8", "zoo quantize -m fastdepth --dataset FRAMES"),
        ("fastdepth_pruned_int8", "f32", "give the network that it was made of"),
        ("fastdepth", "int3", "there are f32 and int8"),
    ):
        with pytest.raises(ZooError, match=reason):
            in_dtype(model, dtype)


@pytest.mark.parametrize("v", catalogue(quantized=True), ids=lambda v: v.name)
def test_what_is_bundled_in_integers_is_of_a_bundled_network(v):
    hub.resolve(v)  # its size and digest
    notes = checkpoint.config(hub.BUNDLED / v.name)[1]["quantized"]
    assert variant(notes["of"]).weights.sha256 == notes["sha256"]
    assert package.load(v.name).variant.name == v.name


def test_other_tools_get_the_same_integers_in_qdq_form(saved, tmp_path, zoo):
    onnx, path = pytest.importorskip("onnx"), tmp_path / "int8.onnx"
    code, said, _ = zoo("export", "-m", saved, "--input", "32x64", "-o", path, "--json")
    assert code == 0
    assert json.loads(said)["max_abs_error_m"] < 0.25
    graph = onnx.load(path).graph
    held = {constant.name: constant.data_type for constant in graph.initializer}
    kinds = [node.op_type for node in graph.node]
    assert held["encoder.0.weight"] == onnx.TensorProto.INT8
    assert held["head.bias"] == onnx.TensorProto.INT32
    assert kinds.count("Conv") == 38
    assert kinds.count("QuantizeLinear") == 38 + 3  # what every layer reads, and the results that skips are added to
    assert "as they are" in zoo("export", "-m", saved, "--format", "tflite", "-o", tmp_path / "a.tflite")[2]
