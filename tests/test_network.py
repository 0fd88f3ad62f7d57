from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from conftest import LITE
from zoo.errors import ZooError
from zoo.importers import import_file
from zoo.model.encoders.resnet import basic
from zoo.model.layers import Block, ConvNormAct
from zoo.model.network import FastDepth, count
from zoo.model.upsample import bilinear, nearest, unpool
from zoo.model.walk import Walk
from zoo.variant import catalogue, variant

SIDES = {
    "mobilenet": [112, 112, 56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7],
    "efficientnet_lite0": [112, 112, 56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7, 7, 7, 7],
}


@pytest.mark.parametrize("v", catalogue(), ids=lambda v: v.name)
def test_every_stage_has_its_shape(v):
    with torch.inference_mode():
        stages = FastDepth(v).eval().stages(torch.zeros(2, 3, 224, 224))
    sides, brought = SIDES[v.encoder], {stage: v.encoder_widths[i] for i, stage in v.skips if v.skip == "concat"}
    expected = {f"encoder.{i}": (2, w, s, s) for i, (w, s) in enumerate(zip(v.encoder_widths, sides, strict=True))}
    for j, width in enumerate(v.decoder_widths, start=1):
        expected[f"decoder.{j}"] = (2, width + brought.get(j, 0), 7 * 2**j, 7 * 2**j)
    expected["head"] = (2, 1, 224, 224)
    assert {name: tuple(x.shape) for name, x in stages.items()} == expected


@pytest.mark.parametrize(
    ("name", "gmacs", "millions"),  # as the authors' definitions give them
    [
        ("fastdepth_dense", 3.781, 20.644),
        ("fastdepth_noskip", 0.737, 3.933),
        ("fastdepth_concat", 0.849, 3.987),
        ("fastdepth", 0.737, 3.933),
        ("fastdepth_pruned", 0.366, 1.344),
    ],
)
def test_work_and_weights_are_the_authors(name, gmacs, millions):
    macs, weights = count(FastDepth(variant(name)).eval(), 224, 224)
    assert (round(macs / 1e9, 3), round(weights / 1e6, 3)) == (gmacs, millions)


def test_a_concatenated_skip_stands_beside_what_it_joins():
    network = FastDepth(variant("fastdepth_concat")).eval()
    with torch.inference_mode():
        stages = network.stages(torch.rand(1, 3, 64, 64))
    for layer, stage in network.variant.skips:
        assert torch.equal(
            stages[f"decoder.{stage}"][:, -stages[f"encoder.{layer}"].shape[1] :], stages[f"encoder.{layer}"]
        )


MOBILENET, HEAD = 567_716_352, 32 * 224**2  # multiply-accumulates of the encoder, and of the head
# (multiply-accumulates, weights) that torchvision states for its classifiers, less those of the last, dense layer
RESNETS = {"resnet18": (1_814_073_344, 11_689_512 - 4_800 * 2), "resnet50": (4_089_184_256, 25_557_032 - 26_560 * 2)}


def stages(per_pair, *, square=0, doubled=False):
    """Work and weights of a study's decoder, stage by stage: `per_pair` weights for each pair of channels, `square` more
    for each pair among the results', at 7x7 and on, or after the doubling."""
    macs = weights = 0
    for j, (cin, cout) in enumerate([(1024, 512), (512, 256), (256, 128), (128, 64), (64, 32)]):
        own = per_pair * cin * cout + square * cout**2
        macs, weights = macs + own * (7 * 2 ** (j + doubled)) ** 2, weights + own
    return macs, weights


@pytest.mark.parametrize(
    ("name", "decoder"),
    [
        ("mobilenet_nnconv3_dense", stages(9)),
        ("mobilenet_blconv5_dense", stages(25)),
        ("mobilenet_deconv5_dense", stages(25)),
        ("mobilenet_upconv", stages(25, doubled=True)),
        ("mobilenet_upproj", stages(50, square=9, doubled=True)),
    ],
)
def test_work_and_weights_of_the_study_s_decoders_are_counted_by_hand(name, decoder):
    macs, weights = count(FastDepth(variant(name)).eval(), 224, 224)
    assert macs == MOBILENET + decoder[0] + HEAD
    assert weights == 3_185_088 + decoder[1] + 32


@pytest.mark.parametrize("name", RESNETS)
def test_residual_encoders_are_those_of_the_literature(name):
    macs, weights = count(FastDepth(variant(f"{name}_nnconv5")).eval(), 224, 224)
    plain = count(FastDepth(variant("fastdepth_noskip")).eval(), 224, 224)
    last, (known_macs, known_weights) = (512 if name == "resnet18" else 2048), RESNETS[name]
    assert macs - (plain[0] - MOBILENET) == known_macs - last * 1000 + last * 1024 * 7**2
    assert weights - (plain[1] - 3_185_088) == known_weights - last * 1000 - 1000 + last * 1024


@pytest.mark.parametrize("v", catalogue(study=True), ids=lambda v: v.name)
def test_networks_of_the_study_double_five_times(v):
    with torch.inference_mode():
        stages = FastDepth(v).eval().stages(torch.zeros(1, 3, 32, 64))
    assert [x.shape[1] for name, x in stages.items() if name.startswith("encoder")] == list(v.encoder_widths)
    assert [tuple(stages[f"decoder.{j}"].shape[2:]) for j in range(1, 6)] == [(2**j, 2 * 2**j) for j in range(1, 6)]
    assert stages["head"].shape == (1, 1, 32, 64)


def test_a_residual_encoder_with_too_few_widths_is_refused():
    v = variant("resnet18_nnconv5")
    with pytest.raises(ZooError, match="11 encoder_widths"):
        FastDepth(replace(v, encoder_widths=v.encoder_widths[1:]))


def test_a_residual_block_adds_what_it_was_given():
    walk = Walk(5, 5)
    basic(walk, "encoder.2", walk.image._replace(channels=4), 4, 1, project=False)
    block = Block(walk.layers, "encoder.2").eval()
    nn.init.zeros_(block.get_submodule("body.1").norm.weight)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(x), x.relu())


def test_a_transposed_convolution_is_one_after_unpooling_with_its_filters_turned():
    layer = ConvNormAct(3, 4, 5, stride=2, transposed=True).eval()
    turned = layer.conv.weight.transpose(0, 1).flip(2, 3)
    x = torch.randn(1, 3, 4, 6)
    expected = nn.functional.conv2d(unpool(x), turned, padding=2)
    assert torch.allclose(layer.conv(x), expected, atol=1e-5)


def test_unpooling_puts_every_pixel_among_zeros():
    assert unpool(torch.tensor([[[[1.0, 2.0]]]]))[0, 0].tolist() == [[1, 0, 2, 0], [0, 0, 0, 0]]


def test_bilinear_doubling_mixes_neighbours():
    assert bilinear(torch.tensor([[[[0.0, 4.0]]]]))[0, 0].tolist() == [[0, 1, 3, 4]] * 2


def lite0(state, image):
    """EfficientNet-Lite0's features as its definition says, from tensors by the names of its PyTorch ports."""
    functional = nn.functional

    def layer(x, conv, norm, **options):
        statistics = [state[f"{norm}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        y = functional.conv2d(x, state[f"{conv}.weight"], padding=state[f"{conv}.weight"].shape[-1] // 2, **options)
        return functional.batch_norm(y, *statistics, eps=1e-3)

    x = functional.relu6(layer((255 * image - 127) / 128, "_conv_stem", "_bn0", stride=2))
    strides, found = {1: 2, 3: 2, 5: 2, 11: 2}, [x]
    residual = {2, 4, 6, 7, 9, 10, 12, 13, 14}
    for i in range(16):
        y, name = x, f"_blocks.{i}"
        if i > 0:
            y = functional.relu6(layer(y, f"{name}._expand_conv", f"{name}._bn0"))
        options = {"stride": strides.get(i, 1), "groups": y.shape[1]}
        y = functional.relu6(layer(y, f"{name}._depthwise_conv", f"{name}._bn1", **options))
        y = layer(y, f"{name}._project_conv", f"{name}._bn2")
        x = x + y if i in residual else y
        found.append(x)
    return found


def test_an_efficientnet_encoder_computes_what_its_weights_were_made_for(tmp_path):
    """Foreign names, foreign normalisation of the image, linear outputs: written down once more, by hand."""
    network, generator = FastDepth(LITE).eval(), torch.Generator().manual_seed(0)
    state = {}
    inner = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
    inner |= {"project": ("_project_conv", "_bn2")}
    for key, tensor in network.state_dict().items():
        if key.endswith("running_var"):
            tensor = 0.6 + torch.rand(tensor.shape, generator=generator)
        elif tensor.is_floating_point() and tensor.ndim == 1:
            tensor = tensor + 0.2 * torch.rand(tensor.shape, generator=generator)
        room, n, *rest = key.split(".")
        if room != "encoder":
            state[key] = tensor
        elif n == "0":
            state["encoder." + {"conv": "_conv_stem", "norm": "_bn0"}[rest[0]] + "." + rest[1]] = tensor
        else:
            step, part, tail = rest
            state[f"encoder._blocks.{int(n) - 1}.{inner[step][part == 'norm']}.{tail}"] = tensor
    state["head.norm.bias"] = torch.ones(1)
    torch.save(state, tmp_path / "lite.pth")
    found, image = import_file(tmp_path / "lite.pth", LITE), torch.rand(1, 3, 64, 96, generator=generator)
    with torch.inference_mode():
        stages = found.stages(image)
        expected = lite0({key.removeprefix("encoder."): tensor for key, tensor in state.items()}, image)
    assert len(expected) == 17
    for i, tensor in enumerate(expected):
        assert torch.allclose(stages[f"encoder.{i}"], tensor, atol=1e-4), i


def test_a_normalised_image_padded_with_zeros_is_one_padded_with_the_mean_before():
    """So a stem takes the normalisation into its weights: scaled by 1 / std, a bias of -mean / std times their sum."""
    network = FastDepth(LITE).double()
    mean, std, stem = network.encoder.mean, network.encoder.std, network.encoder[0].conv
    image = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    weight = stem.weight / std
    bias = -mean * weight.sum((1, 2, 3))
    padded = nn.functional.pad(image, (1, 1, 1, 1), value=mean)
    assert torch.allclose(nn.functional.conv2d(padded, weight, bias, stride=2), stem((image - mean) / std))


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6))
def test_any_multiple_of_32_goes_through(height, width):
    with torch.inference_mode():
        depth = FastDepth(variant("fastdepth_pruned")).eval()(torch.rand(1, 3, 32 * height, 32 * width))
    assert depth.shape == (1, 1, 32 * height, 32 * width)
    assert (depth >= 0).all()


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 1, 224, 224), (1, 3, 223, 224), (1, 3, 224, 240)])
def test_other_inputs_are_refused_by_name(shape):
    with pytest.raises(ZooError, match="multiples of 32"):
        FastDepth(variant("fastdepth"))(torch.zeros(shape))


def test_doubling_makes_every_pixel_a_block():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    expected = [[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5], [3, 3, 4, 4, 5, 5]]
    assert nearest(x)[0, 0].tolist() == expected


def test_the_depth_map_is_constant_on_two_by_two_blocks(pruned):
    with torch.inference_mode():
        depth = pruned(torch.rand(1, 3, 64, 96))
    assert torch.equal(depth, nearest(depth[..., ::2, ::2]))


def test_skips_are_added_where_the_variant_says(pruned):
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        stages = pruned.stages(image)
        for layer, stage in pruned.variant.skips:
            before = stages[f"decoder.{stage - 1}"]
            plain = nearest(pruned.decoder[str(stage)](before))
            assert torch.equal(stages[f"decoder.{stage}"], plain + stages[f"encoder.{layer}"])
