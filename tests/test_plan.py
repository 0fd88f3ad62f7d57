import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d

from conftest import seeded
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.reference import interpret
from zoo.kernels.ir.rewrite import rewrite
from zoo.kernels.ir.trace import trace
from zoo.model.architecture import architecture
from zoo.model.network import count
from zoo.variant import catalogue


@pytest.mark.parametrize("name", [v.name for v in catalogue()])
def test_the_plan_does_the_network_s_work(name):
    network = seeded(name)
    plan = trace(network, 224, 224)
    assert plan.macs == count(network, 224, 224)[0]
    assert len(plan.steps) == len(architecture(network.variant).layers)
    assert plan.output == "head"
    assert plan.shapes()["head"] == (1, 224, 224)
    assert rewrite(plan, 16).macs == plan.macs - 3 * plan.steps[-1].workload.macs // 4


@pytest.mark.parametrize("name", [*(v.name for v in catalogue(study=True) if v.decoder.startswith("nnconv")), "lite"])
def test_networks_of_the_study_have_a_plan_too(name):
    network = seeded(name)
    image = np.random.default_rng(1).random((3, 32, 64), np.float32)
    depth = interpret(rewrite(trace(network, 32, 64), 8), image)["head"]
    with torch.no_grad():
        expected = network(torch.from_numpy(image)[None])[0].numpy()
    assert np.abs(depth - expected).max() < 1e-4


def test_a_concatenated_skip_is_two_tensors_side_by_side():
    plan = trace(seeded("fastdepth_concat"), 64, 64)
    parts = ("decoder.4.pointwise", "encoder.1.pointwise")
    join = "+".join(parts)
    assert plan.concat[join] == parts
    assert plan.shapes()[join] == (128, 32, 32)
    index = {step.name: i for i, step in enumerate(plan.steps)}
    assert plan.lifetimes()[join] == (index["encoder.1.pointwise"], index["decoder.5.depthwise"])
    assert [step.name for step in plan.readers("encoder.1.pointwise")] == ["encoder.2.depthwise", "decoder.5.depthwise"]


@pytest.mark.parametrize("rewritten", [False, True])
def test_the_interpreted_plan_is_the_network_stage_by_stage(pruned, rewritten):
    image = np.random.default_rng(1).random((3, 64, 96), np.float32)
    plan = trace(pruned, 64, 96)
    tensors = interpret(rewrite(plan, 16) if rewritten else plan, image)
    with torch.inference_mode():
        stages = pruned.stages(torch.from_numpy(image)[None])
    for name, expected in stages.items():
        if rewritten and name.startswith("decoder"):  # the rewritten plan doubles and adds later
            continue
        tensor = name if name in tensors else f"{name}.pointwise"
        assert np.abs(tensors[tensor] - expected[0].numpy()).max() < 1e-4, name


def test_skips_are_named(pruned):
    skips = {step.name: step.skip for step in trace(pruned, 64, 64).steps if step.skip}
    assert skips == {
        "decoder.2.pointwise": "encoder.5.pointwise",
        "decoder.3.pointwise": "encoder.3.pointwise",
        "decoder.4.pointwise": "encoder.1.pointwise",
    }


def test_a_skipped_tensor_lives_until_it_is_added(pruned):
    plan = trace(pruned, 64, 64)
    index = {step.name: i for i, step in enumerate(plan.steps)}
    assert plan.lifetimes()["encoder.1.pointwise"] == (index["encoder.1.pointwise"], index["decoder.4.pointwise"])


class Residual(nn.Module):
    """relu(conv(x) + x), the sum written either way round; x from a pooled stem."""

    def __init__(self, swapped):
        super().__init__()
        self.stem, self.pool = nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, 2, 1)
        self.conv, self.last, self.swapped = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 1, 1), swapped

    def forward(self, image):
        x = self.pool(self.stem(image))
        y = self.conv(x)
        return self.last(torch.relu(x + y if self.swapped else y + x))


@pytest.mark.parametrize("swapped", [False, True])
def test_a_sum_is_done_by_the_layer_that_runs_last(swapped):
    network = Residual(swapped).eval()
    plan = trace(network, 8, 12)
    assert [step.name for step in plan.steps] == ["stem", "pool", "conv", "last"]
    assert plan.steps[2].workload.epilogue == ("add", "relu")
    assert plan.steps[2].skip == "pool"
    image = np.random.default_rng(2).random((3, 8, 12), np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(image)[None])[0].numpy()
    assert np.abs(interpret(plan, image)["last"] - expected).max() < 1e-5


class Before(nn.Module):
    """Something done to the image before the first convolution."""

    def __init__(self, first):
        super().__init__()
        self.first, self.conv = first, nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return self.conv(self.first(x))


class Odd(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 3, padding=1), last

    def forward(self, x):
        return self.last(self.conv(x))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Odd(nn.Sigmoid()), "conv: the plan has no step for aten.sigmoid"),
        (Odd(nn.Conv2d(4, 4, 3)), "only square, centred convolutions"),
        (Odd(nn.Conv2d(4, 4, 3, padding=2, dilation=2)), "only square, centred convolutions"),
        (Odd(nn.Conv2d(4, 8, 3, padding=1, groups=4)), "only square, centred convolutions"),
        (Odd(nn.MaxPool2d(2)), "only square, centred pools"),
        (Odd(nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.ReLU())), "of a pool's result"),
        (Odd(lambda x: max_pool2d(max_pool2d(x, 3, 2, 1), 3, 2, 1)), "runs twice"),
        (Odd(nn.Sequential(*2 * [nn.Conv2d(4, 4, 1)])), "last.1: runs twice"),
        (Odd(lambda x: x + 1), "adds two tensors of equal shape"),
        (Odd(lambda x: x + x), "adds two tensors of equal shape"),
        (Odd(lambda x: x + x.sigmoid()), "follows a tensor that others read too"),
        (Odd(lambda x: torch.cat([x, x], 1)), "each once"),
        (Odd(lambda x: torch.cat([x, x], 2)), "along the channels"),
        (nn.ReLU(), "a plan begins with a convolution"),
        (Before(lambda x: x - 127 / 255), "a plan begins with a convolution"),
        (Before(lambda x: x / (128 / 255)), "a plan begins with a convolution"),
        (Before(lambda x: (x - 127 / 255) / 0.5), "a plan begins with a convolution"),
        (Before(lambda x: (x - 0.5) / (128 / 255)), "a plan begins with a convolution"),
        (Before(lambda x: (x / (128 / 255)) - 127 / 255), "a plan begins with a convolution"),
        (nn.MaxPool2d(3, 2, 1), "a plan begins with a convolution"),
    ],
)
def test_what_has_no_step_is_named(module, message):
    with pytest.raises(KernelError, match=message):
        trace(module, 32, 32)
