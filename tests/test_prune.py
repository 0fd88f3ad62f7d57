import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import FAMILY
from zoo.errors import ZooError
from zoo.model.architecture import architecture
from zoo.model.network import FastDepth
from zoo.prune.surgery import cut, importance, strongest
from zoo.prune.widths import groups, resized
from zoo.variant import variant
from zoo.weights.load import load

FULL = variant("fastdepth")


def test_blocks_joined_by_a_skip_are_one_group():
    found = groups(FULL)
    assert ("encoder.1", "decoder.4") in found
    assert ("encoder.3", "decoder.3") in found
    assert ("encoder.5", "decoder.2") in found
    assert len(found) == 19 - 3
    residual = groups(variant("resnet18_nnconv5"))
    assert residual[:2] == (tuple(f"encoder.{i}" for i in range(4)), ("encoder.4", "encoder.5"))
    assert ("encoder.4", "encoder.5") in groups(FAMILY["lite"])
    assert ("encoder.9", "encoder.10", "encoder.11") in groups(FAMILY["lite"])
    with pytest.raises(ZooError, match="an additive skip needs equal widths"):
        resized(FULL, {"encoder.1": 8})
    with pytest.raises(ZooError, match=r"encoder\.3\.body\.1 has width 32, encoder\.2\.body\.1, which is added, 64"):
        resized(variant("resnet18_nnconv5"), {"encoder.3": 32})


def integers(network, generator):
    """Small integers everywhere, so that every sum is exact and its order cannot matter."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                module.weight.copy_(torch.randint(-1, 2, module.weight.shape, generator=generator))
            elif isinstance(module, torch.nn.BatchNorm2d):
                module.eps = 0.0
                module.weight.copy_(torch.randint(0, 2, module.weight.shape, generator=generator) + 1.0)
                module.bias.copy_(torch.randint(-1, 2, module.bias.shape, generator=generator))
                module.running_mean.copy_(torch.randint(-1, 2, module.bias.shape, generator=generator))
                module.running_var.fill_(1.0)
    network.encoder.mean, network.encoder.std = 0.0, 1.0
    return network.double().eval()


@st.composite
def members(draw):
    """A small member of the family, a smaller one, and per group which filters stay."""
    kind = FAMILY[draw(st.sampled_from(list(FAMILY)))]
    wide, narrow = {}, {}
    for group in groups(kind):
        width = draw(st.integers(2, 6))
        wide |= dict.fromkeys(group, width)
        narrow |= dict.fromkeys(group, draw(st.integers(1, width)))
    made, smaller = resized(kind, wide), resized(kind, narrow)
    left = architecture(smaller).widths
    kept = {  # of every group, also those inside blocks
        group: torch.tensor(sorted(draw(st.permutations(range(width)))[: left[group]]))
        for group, width in architecture(made).widths.items()
        if group not in ("image", "head")
    }
    return made, smaller, kept, draw(st.integers(0, 2**31))


def mask(network, kept):
    """Silence what `kept` leaves out: the filter, and the depthwise filters that read it."""
    found = architecture(network.variant)
    with torch.no_grad():
        for layer in found.layers[:-1]:
            module = network.get_submodule(layer.name)
            groups = layer.out_groups
            gone = torch.cat([torch.ones(found.widths[g]).index_fill(0, kept[g], 0) for g in groups]) > 0
            for tensor in (module.norm.weight, module.norm.bias) if layer.norm else module.parameters():
                tensor[gone] = 0


@settings(max_examples=40, deadline=None)
@given(members())
def test_taking_silent_filters_out_changes_nothing(member):
    v, smaller, kept, seed = member
    generator = torch.Generator().manual_seed(seed)
    network = integers(FastDepth(v), generator)
    mask(network, kept)
    made = cut(network, kept, smaller).double()
    made.encoder.mean, made.encoder.std = 0.0, 1.0
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.0
    image = torch.randint(0, 3, (1, 3, 32, 32), generator=generator).double()
    with torch.no_grad():
        before, after = network(image), made(image)
    if v.encoder in ("mobilenet", "efficientnet_lite0"):  # whose ReLU6 keeps every sum exact
        assert torch.equal(before, after)
    else:
        assert (before - after).abs().max() <= 1e-9 * before.abs().max()


def test_the_strongest_filters_stay_and_tied_blocks_agree(pruned):
    smaller = resized(pruned.variant, {"encoder.0": 8, "encoder.1": 24, "decoder.4": 24})
    with torch.no_grad():
        pruned_copy = FastDepth(pruned.variant).eval()
        pruned_copy.load_state_dict(pruned.state_dict())
        pruned_copy.encoder[0].conv.weight[3] *= 100
        pruned_copy.decoder["4"].pointwise.conv.weight[5] *= 100  # strong on one side of the skip only
    kept = strongest(pruned_copy, smaller)
    assert 3 in kept["encoder.0"]
    assert 5 in kept["encoder.1"]
    assert torch.equal(kept["encoder.1"], kept["decoder.4"])
    assert torch.equal(importance(pruned_copy)["encoder.3"], importance(pruned_copy)["decoder.3"])
    assert cut(pruned_copy, kept, smaller)(torch.rand(1, 3, 64, 64)).shape == (1, 1, 64, 64)


def test_the_command_cuts_a_checkpoint_to_another_variant(zoo, tmp_path):
    code, out, err = zoo("prune", "--to", "fastdepth_pruned", "-o", tmp_path / "cut", "--json")
    assert code == 0, err
    assert json.loads(out)["macs"] == 366_393_384
    assert load(str(tmp_path / "cut")).variant.name == "fastdepth_pruned"
    code, _, err = zoo("prune", "-m", "fastdepth_pruned", "--to", "fastdepth", "-o", tmp_path / "wider")
    assert code == 2
    assert "fastdepth has 32 filters" in err
    assert not (tmp_path / "wider").exists()


@pytest.mark.parametrize("name", ["fastdepth_dense", "fastdepth_noskip", "fastdepth_concat"])
def test_a_target_that_is_another_network_is_refused(name):
    with pytest.raises(ZooError, match=f"{name} differs from fastdepth in more than widths"):
        strongest(FastDepth(FULL), variant(name))


def test_a_target_that_is_wider_is_refused(pruned):
    with pytest.raises(ZooError, match=r"fastdepth has 32 filters in encoder\.0, fastdepth_pruned only 16"):
        strongest(pruned, FULL)
