"""Residual encoders (He et al. 2016, arXiv:1512.03385) without their classifiers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import Layer

Body = Callable[[int, int, int], nn.Module]  # (cin, cout, stride)


def basic(cin: int, cout: int, stride: int) -> nn.Module:
    """Two 3x3 layers."""
    return nn.Sequential(
        Layer(cin, cout, 3, nn.ReLU(), stride=stride),
        Layer(cout, cout, 3, nn.Identity()),
    )


def bottleneck(cin: int, cout: int, stride: int) -> nn.Module:
    """A 1x1 layer to a quarter of the width, a 3x3 layer, which strides, and a 1x1 layer back."""
    return nn.Sequential(
        Layer(cin, cout // 4, 1, nn.ReLU()),
        Layer(cout // 4, cout // 4, 3, nn.ReLU(), stride=stride),
        Layer(cout // 4, cout, 1, nn.Identity()),
    )


class Residual(nn.Module):
    """`y = relu(body(x) + shortcut(x))`; the shortcut is a 1x1 layer where the shape changes, and nothing elsewhere."""

    def __init__(self, body: Body, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.body = body(cin, cout, stride)
        same = cin == cout and stride == 1
        self.shortcut = nn.Identity() if same else Layer(cin, cout, 1, nn.Identity(), stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H / stride, W / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Sequential):
    """A 7x7 stem and a maximum pool, each halving the side; residual blocks in four groups, all but the first of which
    begin by halving; and a 1x1 convolution to the width that the decoder takes.

    `widths` are those of all of these in order, as a decoder may tap them: 64 64, the blocks', 1024.
    """

    def __init__(self, widths: Sequence[int], body: Body, groups: Sequence[int]) -> None:
        stem, pooled, *blocks, last = widths
        strides = [2 if i == 0 and group > 0 else 1 for group, count in enumerate(groups) for i in range(count)]
        super().__init__(
            Layer(3, stem, 7, nn.ReLU(), stride=2),
            nn.MaxPool2d(3, 2, 1),
            *(Residual(body, *shape) for shape in zip([pooled, *blocks], blocks, strides, strict=False)),
            nn.Conv2d(blocks[-1], last, 1),
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> the output of every part, the last (N, widths[-1], H / 32, W / 32)."""
        outputs: list[Tensor] = []
        for part in self:
            outputs.append(part(outputs[-1] if outputs else image))
        return outputs
