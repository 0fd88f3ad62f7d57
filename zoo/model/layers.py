"""The layers everything is built from. Shapes are (N, C, H, W)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Layer(nn.Module):
    """Convolution, batch normalisation, activation: `y = act(norm(conv(x)))`, padded so that stride 1 keeps the side."""

    def __init__(
        self, cin: int, cout: int, taps: int, activation: nn.Module, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, taps, stride, padding=taps // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(cout)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.activation(self.norm(self.conv(x)))
        return y


class Separable(nn.Module):
    """A depthwise layer (one filter per channel), then a pointwise layer (1x1 across channels)."""

    def __init__(self, cin: int, cout: int, taps: int, activation: type[nn.Module], *, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = Layer(cin, cin, taps, activation(), stride=stride, groups=cin)
        self.pointwise = Layer(cin, cout, 1, activation())

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.pointwise(self.depthwise(x))
        return y


def double(x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling by two: (N, C, H, W) -> (N, C, 2H, 2W), every pixel a 2x2 block."""
    return F.interpolate(x, scale_factor=2, mode="nearest")
