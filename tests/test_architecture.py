"""The one walk of a variant, held against what torch builds and runs."""

from dataclasses import replace

import pytest
import torch

from conftest import FAMILY
from zoo.errors import ZooError
from zoo.kernels.ir.trace import trace
from zoo.model.architecture import architecture
from zoo.model.decoders import DECODERS
from zoo.model.encoders import ENCODERS
from zoo.model.network import FastDepth, count
from zoo.variant import variant

ALL = tuple(FAMILY.values())
NAMES = list(FAMILY)


@pytest.mark.parametrize("name", NAMES)
def test_the_walk_is_the_network_layer_by_layer(name):
    v, seen = replace(FAMILY[name], input=(64, 96)), {}
    network = FastDepth(v).eval()
    layers = architecture(v).layers
    for layer in layers:
        network.get_submodule(layer.name).register_forward_hook(
            lambda _, given, result, name=layer.name: seen.update({name: (given[0].shape[1:], result.shape[1:])})
        )
    with torch.inference_mode():
        network(torch.zeros(1, 3, *v.input))
    assert list(seen) == [layer.name for layer in layers]
    for layer in layers:
        shape = layer.shape
        given, result = seen[layer.name]
        assert tuple(given) == (shape.in_channels, shape.height, shape.width)
        assert tuple(result) == (shape.out_channels, *shape.out_sides)


@pytest.mark.parametrize("name", NAMES)
def test_work_and_weights_are_those_counted_while_it_runs(name):
    v = replace(FAMILY[name], input=(64, 96))
    shapes = [layer.shape for layer in architecture(v).layers]
    counted = count(FastDepth(v).eval(), *v.input)
    assert (sum(shape.macs for shape in shapes), sum(shape.weights for shape in shapes)) == counted


@pytest.mark.parametrize("name", [v.name for v in ALL if DECODERS[v.decoder].after == "nearest"])
def test_the_walk_is_the_plan_that_torch_export_gives(name):
    v = replace(FAMILY[name], input=(64, 96))
    network = FastDepth(v).eval()
    plan = trace(network, *v.input)
    expected = []
    for layer in architecture(v).layers:
        done = ("add",) * (layer.residual is not None) + ((layer.activation,) if layer.activation else ())
        done += ("double",) * (layer.upsample == "nearest") + ("add",) * (layer.skip is not None)
        added = layer.residual or layer.skip
        expected.append((layer.name, *layer.shape, done, "+".join(layer.sources), added, layer.norm))
    found = []
    for step in plan.steps:
        w = step.workload
        sizes = (w.kind, w.kernel_size, w.stride, w.cin, w.cout, w.height, w.width)
        found.append((step.name, *sizes, w.epilogue, step.source, step.skip, step.normalised))
    assert found == expected


@pytest.mark.parametrize("name", NAMES)
def test_groups_are_the_channels_that_are_added_or_go_one_to_one(name):
    found = architecture(FAMILY[name])
    writer = {layer.name: layer for layer in found.layers}
    for layer in found.layers:
        assert sum(found.widths[group] for group in layer.in_groups) == layer.shape.in_channels
        assert sum(found.widths[group] for group in layer.out_groups) == layer.shape.out_channels
        read = [writer[source].out_groups if source in writer else ("image",) for source in layer.sources]
        assert layer.in_groups == sum(read, ())
        for added in filter(None, (layer.residual, layer.skip)):
            assert layer.out_groups == writer[added].out_groups


def test_every_encoder_has_a_file_and_as_many_blocks_as_widths():
    for v in ALL:
        blocks = [block for block in architecture(v).blocks if block.startswith("encoder.")]
        assert len(blocks) == ENCODERS[v.encoder].widths == len(v.encoder_widths)


def test_a_skip_between_maps_of_different_sides_is_refused():
    with pytest.raises(ZooError, match=r"fastdepth: .*decoder\.1\.pointwise .*cannot be (added|concatenated)"):
        replace(variant("fastdepth_concat"), name="fastdepth", skips=((5, 1),))
    with pytest.raises(ZooError, match="a decoder stage takes one skip"):
        replace(variant("fastdepth_concat"), skips=((5, 2), (4, 2)))
