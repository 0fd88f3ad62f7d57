"""The layers everything is built from, and the block: some layers, run as the architecture says. Shapes are (N, C, H, W)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ..pickling import Portable
from .walk import TRANSPOSED, Layer

ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, None: nn.Identity}


class ConvNormAct(Portable, nn.Module):
    """Convolution, batch normalisation, activation: `y = act(norm(conv(x)) + residual)`.

    It is padded so that stride 1 keeps the sides; transposed, stride 2 doubles them.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: str | None = "relu",
        transposed: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        sizes = (in_channels, out_channels, kernel_size, stride, kernel_size // 2)
        self.conv: nn.Conv2d | nn.ConvTranspose2d = (
            nn.ConvTranspose2d(*sizes, output_padding=stride - 1, groups=groups, bias=False)
            if transposed
            else nn.Conv2d(*sizes, groups=groups, bias=False)
        )
        self.norm = nn.BatchNorm2d(out_channels, eps)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)) or, transposed, (…, 2H, 2W)."""
        y: Tensor = self.norm(self.conv(x))
        y = self.activation(y if residual is None else y + residual)
        return y


class Block(Portable, nn.Module):
    """Some layers of an architecture, each of which reads what an earlier one gave, or what the block was given."""

    def __init__(self, layers: Sequence[Layer], name: str) -> None:
        super().__init__()
        own = {layer.name: layer.name.removeprefix(f"{name}.") for layer in layers}
        # (module, what it reads, what it adds), in order; None is what the block was given
        self.order = [(own[x.name], own.get(x.sources[0]), own.get(x.residual or ""), bool(x.residual)) for x in layers]
        for layer in layers:
            _attach(self, own[layer.name], module(layer))

    def forward(self, x: Tensor) -> Tensor:
        """What the block was given -> the result of its last layer."""
        made: dict[str | None, Tensor] = {None: x}
        for name, source, residual, adds in self.order:
            inputs = (made[source], made[residual]) if adds else (made[source],)
            x = made[name] = self.get_submodule(name)(*inputs)
        return x


def module(layer: Layer) -> nn.Module:
    """One layer, with weights as torch draws them."""
    shape = layer.shape
    if shape.kind == "pool":
        return nn.MaxPool2d(shape.kernel_size, shape.stride, shape.kernel_size // 2)
    sizes = (shape.in_channels, shape.out_channels, shape.kernel_size)
    if not layer.norm:
        return nn.Conv2d(*sizes, shape.stride, shape.kernel_size // 2)
    return ConvNormAct(
        *sizes,
        stride=shape.stride,
        groups=shape.in_channels if shape.kind.startswith("depthwise") else 1,
        activation=layer.activation,
        transposed=shape.kind in TRANSPOSED,
        eps=layer.eps,
    )


def block(layers: Sequence[Layer], name: str) -> nn.Module:
    """The layers of the block of that name; one layer of its very name is all there is."""
    return module(layers[0]) if [layer.name for layer in layers] == [name] else Block(layers, name)


def _attach(parent: nn.Module, name: str, child: nn.Module) -> None:
    """A child by its dotted name, in modules that hold nothing else."""
    first, _, rest = name.partition(".")
    if not rest:
        parent.add_module(first, child)
        return
    if first not in dict(parent.named_children()):
        parent.add_module(first, nn.Module())
    _attach(parent.get_submodule(first), rest, child)
