"""Taking filters out of a network.

Theorem: if a filter's own output is zero for every input, and so is the output of the depthwise filter that reads it,
the network without both computes the same. (Proof: all that follows is a sum over channels, and the two add zero to it.)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import ZooError
from ..model.layers import Layer, Separable
from ..model.network import FastDepth
from ..variant import Variant
from .widths import blocks, groups

Kept = Mapping[str, Tensor]  # block -> indices of the filters that stay, ascending


def importance(network: FastDepth) -> dict[str, Tensor]:
    """{block: one score per filter}: the L2 norm of the filter with its normalisation folded in, relative to the block's
    mean. Blocks that a skip adds have one joint score, the root of their squares' sum."""
    scores: dict[str, Tensor] = {}
    for block in blocks(network.variant):
        layer = _producer(network, block)
        variance = layer.norm.running_var
        assert variance is not None
        gain = layer.norm.weight / (variance + layer.norm.eps).sqrt()
        norms = (layer.conv.weight.flatten(1).norm(dim=1) * gain.abs()).detach()
        scores[block] = norms / norms.mean()
    for group in groups(network.variant):
        joint = torch.stack([scores[block] for block in group]).square().sum(0).sqrt()
        scores |= dict.fromkeys(group, joint)
    return scores


def strongest(network: FastDepth, smaller: Variant) -> dict[str, Tensor]:
    """The filters of highest importance, as many per block as `smaller` has. Raises ZooError if it has more somewhere, or is
    another network but for its widths."""
    for field in ("encoder", "decoder", "skip", "skips"):
        ours, theirs = getattr(network.variant, field), getattr(smaller, field)
        if ours != theirs:
            raise ZooError(
                f"{smaller.name} differs from {network.variant.name} in more than widths: {field} {theirs} for {ours}"
            )
    wanted, scores = blocks(smaller), importance(network)
    for block, width in blocks(network.variant).items():
        if wanted.get(block, 0) > width:
            raise ZooError(
                f"{smaller.name} has {wanted[block]} filters in {block}, {network.variant.name} only {width}"
            )
    return {block: scores[block].topk(wanted[block]).indices.sort().values for block in scores}


def cut(network: FastDepth, kept: Kept, smaller: Variant) -> FastDepth:
    """A network of variant `smaller` with the kept filters of `network`, weights and statistics and all."""
    made, before = FastDepth(smaller), torch.arange(3)
    joins = {f"decoder.{stage}": layer for layer, stage in network.variant.skips}
    for block in blocks(network.variant):
        old, new, filters = _block(network, block), _block(made, block), kept[block]
        if isinstance(old, Separable) and isinstance(new, Separable):
            _copy(old.depthwise, new.depthwise, before, torch.zeros(1, dtype=torch.long))
            _copy(old.pointwise, new.pointwise, filters, before)
        elif isinstance(old, Layer) and isinstance(new, Layer):
            _copy(old, new, filters, before)
        before = filters
        if network.variant.skip == "concat" and block in joins:
            beside = kept[f"encoder.{joins[block]}"]
            before = torch.cat([filters, blocks(network.variant)[block] + beside])
    _copy(network.head, made.head, torch.zeros(1, dtype=torch.long), before)
    return made.train(network.training)


def _copy(old: Layer, new: Layer, outputs: Tensor, inputs: Tensor) -> None:
    with torch.no_grad():
        new.conv.weight.copy_(old.conv.weight[outputs][:, inputs])
        for name, tensor in new.norm.state_dict().items():
            source = old.norm.state_dict()[name]
            tensor.copy_(source[outputs] if source.ndim else source)


def _block(network: FastDepth, block: str) -> Layer | Separable:
    room, index = block.split(".")
    found = network.encoder[int(index)] if room == "encoder" else network.decoder[index]
    assert isinstance(found, Layer | Separable)
    return found


def _producer(network: FastDepth, block: str) -> Layer:
    found = _block(network, block)
    return found.pointwise if isinstance(found, Separable) else found
