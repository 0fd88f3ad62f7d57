"""Post-training quantisation: weights by their largest number, results by the largest that pictures bring about.

Percentiles in place of the largest lose far walls: depth has no upper bound that results could be cut at
(docs/quantization.md has the numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import ZooError
from ..model.layers import ConvNormAct
from ..model.network import FastDepth
from ..model.quantized import CEILING, IMAGE, TOP, QuantizedFastDepth
from ..variant import Variant

LARGEST_WEIGHT = 127  # the smallest int8, -128, has no opposite
LEAST = 1e-6  # of a range that pictures never leave 0 in


@torch.no_grad()
def quantize(
    network: FastDepth, images: Iterable[Tensor], on_image: Callable[[int], None] = lambda _: None
) -> QuantizedFastDepth:
    """The network in integers, calibrated on images (1, 3, H, W), RGB in [0, 1]: as many as are wanted, one at a time.

    Raises ZooError for a variant that integers are not defined for, and where there are no images.
    """
    found = QuantizedFastDepth(quantized(network.variant))
    network = network.eval().float().cpu()
    with _largest_inputs(network, found.order) as largest:
        for count, image in enumerate(images, start=1):
            network(image)
            on_image(count)
    if not largest:
        raise ZooError("quantisation is calibrated on pictures, and there are none")
    scale = IMAGE  # of what the next layer reads
    for name, after in zip(found.order, [*found.order[1:], None], strict=True):
        layer, integers = network.get_submodule(name), found.layer(name)
        assert isinstance(layer, ConvNormAct)
        weight, bias = folded(layer)
        own = (weight.abs().amax((1, 2, 3)).clamp(min=1e-12) / LARGEST_WEIGHT).float()
        integers.input_scale.copy_(torch.tensor(scale))
        integers.weight_scale.copy_(own)
        integers.weight.copy_((weight / own.double()[:, None, None, None]).round())
        steps = integers.input_scale.double() * own.double()
        integers.bias.copy_((bias / steps).round().clamp(-(2**30), 2**30))
        if after:
            ceiling = CEILING if isinstance(layer.activation, nn.ReLU6) else float("inf")
            scale = max(min(largest[after], ceiling), LEAST) / TOP
    return found.eval()


def quantized(variant: Variant) -> Variant:
    """The record of a variant's integers."""
    if variant.dtype != "f32":
        raise ZooError(f"{variant.name} is in {variant.dtype} already")
    what = f"{variant.summary}; in int8"
    return replace(variant, name=f"{variant.name}_int8", summary=what, dtype="int8", weights=None, claims=())


def folded(layer: ConvNormAct) -> tuple[Tensor, Tensor]:
    """(weight, bias) in float64 of a convolution that does what a layer does before its activation."""
    norm = layer.norm
    factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()  # type: ignore[union-attr]
    weight = layer.conv.weight.double() * factor[:, None, None, None]
    return weight, norm.bias.double() - norm.running_mean.double() * factor  # type: ignore[union-attr]


@contextmanager
def _largest_inputs(network: FastDepth, names: Iterable[str]) -> Iterator[dict[str, float]]:
    """{layer: the largest number it has been given}, filled as the network runs."""
    largest: dict[str, float] = {}

    def watch(name: str) -> torch.utils.hooks.RemovableHandle:
        def note(_: nn.Module, given: tuple[Tensor]) -> None:
            largest[name] = max(largest.get(name, 0.0), float(given[0].max()))

        return network.get_submodule(name).register_forward_pre_hook(note)

    handles = [watch(name) for name in names]
    try:
        yield largest
    finally:
        for handle in handles:
            handle.remove()
