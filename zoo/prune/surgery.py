"""Taking filters out of a network.

Theorem: if a filter's own output is zero for every input, and so is the output of the depthwise filter that reads it,
the network without both computes the same. (Proof: all that follows is a sum over channels, and the two add zero to it.)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..errors import ZooError
from ..model.architecture import architecture
from ..model.layers import ConvNormAct
from ..model.network import FastDepth
from ..model.walk import PER_CHANNEL
from ..variant import Variant
from .widths import blocks

Kept = Mapping[str, Tensor]  # group or block -> indices of the filters that stay, ascending


def importance(network: FastDepth) -> dict[str, Tensor]:
    """{group or block: one score per filter}: the L2 norm of the filter with its normalisation folded in, relative to the
    layer's mean. Layers of one group have one joint score, the root of their squares' sum."""
    found, scores = architecture(network.variant), dict[str, list[Tensor]]()
    for layer in found.layers[:-1]:
        if layer.shape.kind not in PER_CHANNEL:
            norms = _norms(network.get_submodule(layer.name))
            scores.setdefault(layer.out_groups[0], []).append(norms / norms.mean())
    joint = {group: torch.stack(each).square().sum(0).sqrt() for group, each in scores.items()}
    return joint | {block: joint[found.blocks[block]] for block in blocks(network.variant)}


def _norms(layer: nn.Module) -> Tensor:
    """One number per filter of a convolution."""
    conv, gain = _conv(layer), torch.ones(())
    if isinstance(layer, ConvNormAct):
        variance = layer.norm.running_var
        assert variance is not None
        gain = layer.norm.weight / (variance + layer.norm.eps).sqrt()
    filters = conv.weight.transpose(0, 1) if conv.transposed else conv.weight
    norms: Tensor = filters.flatten(1).norm(dim=1)
    return (norms * gain.abs()).detach()


def strongest(network: FastDepth, smaller: Variant) -> dict[str, Tensor]:
    """The filters of highest importance, as many per group as `smaller` has. Raises ZooError if it has more somewhere, or is
    another network but for its widths."""
    for field in ("encoder", "decoder", "skip", "skips"):
        ours, theirs = getattr(network.variant, field), getattr(smaller, field)
        if ours != theirs:
            raise ZooError(
                f"{smaller.name} differs from {network.variant.name} in more than widths: {field} {theirs} for {ours}"
            )
    widths = blocks(smaller)
    for block, width in blocks(network.variant).items():
        if widths[block] > width:
            raise ZooError(
                f"{smaller.name} has {widths[block]} filters in {block}, {network.variant.name} only {width}"
            )
    wanted = {**architecture(smaller).widths, **widths}
    return {name: score.topk(wanted[name]).indices.sort().values for name, score in importance(network).items()}


def cut(network: FastDepth, kept: Kept, smaller: Variant) -> FastDepth:
    """A network of variant `smaller` with the kept filters of `network`, weights and statistics and all."""
    found, made = architecture(network.variant), FastDepth(smaller)
    kept = {"image": torch.arange(3), "head": torch.zeros(1, dtype=torch.long), **kept}

    def chosen(groups: Sequence[str]) -> Tensor:
        """Where the kept channels of some groups are when these stand side by side."""
        starts = itertools.accumulate((found.widths[group] for group in groups), initial=0)
        return torch.cat([kept[group] + start for group, start in zip(groups, starts, strict=False)])

    for layer in found.layers:
        if layer.shape.kind != "pool":
            one = layer.shape.kind in PER_CHANNEL
            inputs = torch.zeros(1, dtype=torch.long) if one else chosen(layer.in_groups)
            old, new = network.get_submodule(layer.name), made.get_submodule(layer.name)
            _copy(old, new, chosen(layer.out_groups), inputs)
    return made.train(network.training)


def _copy(old: nn.Module, new: nn.Module, outputs: Tensor, inputs: Tensor) -> None:
    """The filters `outputs`, of each the channels `inputs`, with what is one number per filter."""
    source, conv = old.state_dict(), _conv(old)
    with torch.no_grad():
        for name, tensor in new.state_dict().items():
            if tensor.ndim == 4:
                first, second = (inputs, outputs) if conv.transposed and conv.groups == 1 else (outputs, inputs)
                tensor.copy_(source[name][first][:, second])
            else:
                tensor.copy_(source[name][outputs] if tensor.ndim else source[name])


def _conv(layer: nn.Module) -> nn.Conv2d | nn.ConvTranspose2d:
    found = layer.conv if isinstance(layer, ConvNormAct) else layer
    assert isinstance(found, nn.Conv2d | nn.ConvTranspose2d)
    return found
