import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.blocks import double
from zoo.errors import ZooError
from zoo.network import FastDepth, count
from zoo.variant import catalogue, variant

SIDES = [112, 112, 56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7]


@pytest.mark.parametrize("v", catalogue(), ids=lambda v: v.name)
def test_every_stage_has_its_shape(v):
    with torch.inference_mode():
        stages = FastDepth(v).eval().stages(torch.zeros(2, 3, 224, 224))
    expected = {f"encoder.{i}": (2, w, s, s) for i, (w, s) in enumerate(zip(v.encoder_widths, SIDES, strict=True))}
    for j, width in enumerate(v.decoder_widths, start=1):
        expected[f"decoder.{j}"] = (2, width, 7 * 2**j, 7 * 2**j)
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
    assert double(x)[0, 0].tolist() == expected


def test_the_depth_map_is_constant_on_two_by_two_blocks(pruned):
    with torch.inference_mode():
        depth = pruned(torch.rand(1, 3, 64, 96))
    assert torch.equal(depth, double(depth[..., ::2, ::2]))


def test_skips_are_added_where_the_variant_says(pruned):
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        stages = pruned.stages(image)
        for layer, stage in pruned.variant.skips:
            before = stages[f"decoder.{stage - 1}"]
            plain = double(pruned.decoder[str(stage)](before))
            assert torch.equal(stages[f"decoder.{stage}"], plain + stages[f"encoder.{layer}"])
