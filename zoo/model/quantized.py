"""The network in integers: uint8 results, int8 weights, int32 sums. Every compiled artifact of it gives the same integers.

After Jacob et al. 2018 (arXiv:1712.05877), with zero points of 0, as no hidden result is negative. Integers are carried in
float64, which holds them exactly; taking a sum to the next layer's scale is one product in float32, rounded half to even.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ZooError
from ..pickling import Portable
from ..variant import Variant
from .architecture import architecture
from .layers import ConvNormAct
from .network import FastDepth, check_sides
from .upsample import nearest

TOP = 255  # the largest uint8
IMAGE = 1 / TOP  # scale of the image
CEILING = 6.0  # of a ReLU6: where 255 stands for no more, the cut at 255 is one
KINDS = ("stem", "depthwise", "pointwise", "conv", "head")


class QuantizedConv(Portable, nn.Module):
    """Convolution and ReLU in integers: `y = round(multiplier * (conv(x) + bias))`, cut to 0..255; metres from the last."""

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d, *, last: bool) -> None:
        """Of the sizes of a convolution, with zeros for numbers; `last`: whether it is the head."""
        super().__init__()
        channels = conv.out_channels
        self.register_buffer("weight", torch.zeros(conv.weight.shape, dtype=torch.int8))
        self.register_buffer("bias", torch.zeros(channels, dtype=torch.int32))
        self.weight_scale = nn.Parameter(torch.ones(channels), requires_grad=False)
        self.input_scale = nn.Parameter(torch.ones(()), requires_grad=False)
        self.stride, self.padding, self.groups, self.last = conv.stride, conv.padding, conv.groups, last

    def forward(self, x: Tensor, multiplier: Tensor) -> Tensor:
        """(N, C, H, W) whole numbers in float64 -> the same of the result; float32 metres where it is the last."""
        padding: tuple[int, ...] = self.padding  # type: ignore[assignment]
        sums = F.conv2d(x, self.weight.double(), self.bias.double(), self.stride, padding, 1, self.groups)
        y = sums.float() * multiplier[:, None, None]
        return y.clamp(min=0) if self.last else y.clamp(0, TOP).round().double()


class QuantizedFastDepth(FastDepth):
    """A FastDepth in integers. `zoo quantize` makes one; input and output are those of the other networks.

    `order` is the layers' names as they run; a layer's `input_scale` is what one step of the integers it reads stands for.
    """

    def __init__(self, variant: Variant) -> None:
        """Without numbers yet. Raises ZooError for a variant with results that may be negative, or concatenated."""
        super().__init__(variant)
        self.order = quantizable(variant)
        for name in self.order:
            layer = self.get_submodule(name)
            assert isinstance(layer, ConvNormAct)
            parent = self.get_submodule(name.rpartition(".")[0])
            made = QuantizedConv(layer.conv, last=name == self.order[-1])  # type: ignore[arg-type]
            parent.register_module(name.rpartition(".")[2], made)

    def layer(self, name: str) -> QuantizedConv:
        """One layer by its name."""
        found = self.get_submodule(name)
        assert isinstance(found, QuantizedConv)
        return found

    def stages(self, image: Tensor) -> dict[str, Tensor]:
        """Every stage's whole numbers by name, in float64: encoder.0, …, decoder.5; and the head's metres."""
        check_sides(image)
        scale = {name: self.layer(name).input_scale.double() for name in self.order}
        after = dict(zip(self.order, self.order[1:], strict=False))  # the layer that reads a layer's result

        def run(block: str, x: Tensor) -> Tensor:
            for name in self.order:
                if name == block or name.startswith(f"{block}."):
                    layer, y = self.layer(name), scale[after[name]] if name in after else 1.0
                    x = layer(x, (scale[name] * layer.weight_scale.double() / y).float())
            return x

        found: dict[str, Tensor] = {}
        x = (image.float() * TOP).clamp(0, TOP).round().double()
        for i in range(len(self.variant.encoder_widths)):
            x = found[f"encoder.{i}"] = run(f"encoder.{i}", x)
        for j in range(1, len(self.variant.decoder_widths) + 1):
            x = nearest(run(f"decoder.{j}", x))
            if j in self.decoder.skips:
                block = self.decoder.skips[j]
                ratio = scale[after[self.last(f"encoder.{block}")]] / scale[after[self.last(f"decoder.{j}")]]
                skip = (found[f"encoder.{block}"].float() * ratio.float()).round()
                x = (x + skip).clamp(max=TOP)
            found[f"decoder.{j}"] = x
        return found | {"head": run("head", x)}

    def last(self, block: str) -> str:
        """The layer whose result is that of a block."""
        return [name for name in self.order if name == block or name.startswith(f"{block}.")][-1]


def quantizable(variant: Variant) -> list[str]:
    """The layers of a variant in the order in which they run. Raises ZooError where integers are not defined for it: results
    that may be negative, residual sums, pools, transposed or concatenated layers, a normalised image."""
    network, layers = FastDepth(variant), architecture(variant).layers
    chain = all(
        layer.norm and layer.activation and not layer.residual and layer.shape.kind in KINDS for layer in layers
    )
    plain = (network.encoder.mean, network.encoder.std) == (0.0, 1.0) and network.decoder.before is None
    if not (chain and plain and network.decoder.after == "nearest" and variant.skip in ("none", "add")):
        raise ZooError(
            f"variant {variant.name}: int8 is for networks whose layers all end in a ReLU, in a row, with additive skips "
            "and nearest-neighbour upsampling, such as fastdepth_pruned"
        )
    return [layer.name for layer in layers]
