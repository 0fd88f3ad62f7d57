"""What others double the side of feature maps with; FastDepth takes the nearest neighbour (`zoo.blocks.double`)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Layer


def bilinear(x: Tensor) -> Tensor:
    """Bilinear interpolation by two: (N, C, H, W) -> (N, C, 2H, 2W)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def unpool(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W): every pixel at the top left of a 2x2 block of zeros."""
    count, channels, height, width = x.shape
    framed = F.pad(x[..., None, :, None], (0, 1, 0, 0, 0, 1))  # (N, C, H, 2, W, 2)
    return framed.reshape(count, channels, 2 * height, 2 * width)


class Transposed(nn.Module):
    """Transposed convolution of stride 2, batch normalisation, ReLU: every pixel spreads its filter over the result."""

    def __init__(self, cin: int, cout: int, taps: int, *, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(
            cin, cout, taps, stride=2, padding=taps // 2, output_padding=1, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(cout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, 2H, 2W)."""
        return F.relu(self.norm(self.conv(x)))


class SeparableTransposed(nn.Module):
    """A transposed depthwise layer, then a pointwise layer."""

    def __init__(self, cin: int, cout: int, taps: int) -> None:
        super().__init__()
        self.depthwise = Transposed(cin, cin, taps, groups=cin)
        self.pointwise = Layer(cin, cout, 1, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, 2H, 2W)."""
        y: Tensor = self.pointwise(self.depthwise(x))
        return y


class UpProjection(nn.Module):
    """The up-projection of Laina et al. 2016 (arXiv:1606.00373) after unpooling: 5x5 and 3x3 layers, beside them a 5x5
    layer, the sum rectified."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Layer(cin, cout, 5, nn.ReLU()), Layer(cout, cout, 3, nn.Identity()))
        self.projection = Layer(cin, cout, 5, nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H, W)."""
        return F.relu(self.body(x) + self.projection(x))
