"""Encoders: image in, features at a 32nd of its side out, with named layers that a decoder may tap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from ...variant import STRIDES
from ..layers import Layer, Separable
from .resnet import ResNet, basic, bottleneck


class MobileNet(nn.Sequential):
    """MobileNet v1 (Howard et al. 2017, arXiv:1704.04861) without its classifier: a 3x3 stem and 13 separable layers.

    At a side of 224 the layers give sides 112 112 56 56 28 28 14 14 14 14 14 14 7 7.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        stem = Layer(3, widths[0], 3, nn.ReLU6(), stride=STRIDES[0])
        rest = [
            Separable(cin, cout, 3, nn.ReLU6, stride=stride)
            for cin, cout, stride in zip(widths, widths[1:], STRIDES[1:], strict=False)
        ]
        super().__init__(stem, *rest)
        self.widths = tuple(widths)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> the output of every layer, the last (N, widths[13], H / 32, W / 32)."""
        outputs: list[Tensor] = []
        for layer in self:
            outputs.append(layer(outputs[-1] if outputs else image))
        return outputs


ENCODERS: dict[str, Callable[[Sequence[int]], nn.Sequential]] = {
    "mobilenet": MobileNet,
    "resnet18": partial(ResNet, body=basic, groups=(2, 2, 2, 2)),
    "resnet50": partial(ResNet, body=bottleneck, groups=(3, 4, 6, 3)),
}
