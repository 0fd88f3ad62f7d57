"""What a network of the family is made of, as plain data, and the walk that writes it down. No torch, no numpy.

An encoder or a decoder is a function that walks: it calls `conv`, `depthwise`, `pool` … in the order in which the network
runs them, and every call notes one `Layer`. Costs, pruning, importers and the torch network itself read those notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..errors import ZooError

PER_CHANNEL = ("depthwise", "depthwise_transposed", "pool")  # channel i of the result is made of channel i of the input
TRANSPOSED = ("transposed", "depthwise_transposed")


class Shape(NamedTuple):
    """The sizes of one convolution or pool, without what is done to its result; height and width are its input's."""

    kind: str  # stem | depthwise | pointwise | conv | head | pool | transposed | depthwise_transposed
    kernel_size: int
    stride: int
    in_channels: int
    out_channels: int
    height: int
    width: int

    @property
    def weights(self) -> int:
        """Weights of the convolution."""
        if self.kind == "pool":
            return 0
        return self.kernel_size**2 * self.out_channels * (1 if self.kind in PER_CHANNEL else self.in_channels)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: every weight at every pixel of the result or, transposed, of the input."""
        height, width = (self.height, self.width) if self.kind in TRANSPOSED else self.out_sides
        return self.weights * height * width

    @property
    def out_sides(self) -> tuple[int, int]:
        """Height and width of the result."""
        if self.kind in TRANSPOSED:
            return self.height * self.stride, self.width * self.stride
        return -(-self.height // self.stride), -(-self.width // self.stride)


@dataclass(frozen=True)
class Layer:
    """One layer: `activation(norm(conv(sources)) + residual)`, then upsampling, then the skip's sum."""

    name: str  # of its module, and so of its tensors in the state dict
    shape: Shape
    sources: tuple[str, ...]  # the layers it reads, concatenated; "image" is the network's input
    in_groups: tuple[str, ...]  # whose channels it reads
    out_groups: tuple[str, ...]  # whose channels it writes: layers of one group have one width, and are pruned together
    activation: str | None  # relu | relu6
    residual: str | None = None  # the layer whose result is added before the activation
    upsample: str | None = None  # nearest | bilinear
    skip: str | None = None  # the layer whose result is added after upsampling
    norm: bool = True  # batch normalisation; without it a bias
    eps: float = 1e-5


class Features(NamedTuple):
    """A tensor on the way: the layers that make it, concatenated, the groups of its channels, and its size."""

    sources: tuple[str, ...]
    groups: tuple[str, ...]
    channels: int
    height: int
    width: int

    @property
    def text(self) -> str:
        """For people."""
        return f"{'+'.join(self.sources)} ({self.channels}x{self.height}x{self.width})"


class Walk:
    """Notes the layers of a network in the order in which they run."""

    def __init__(self, height: int, width: int) -> None:
        self.image = Features(("image",), ("image",), 3, height, width)
        self.layers: list[Layer] = []
        self.widths: dict[str, int] = {"image": 3}  # by group
        self.ties: dict[str, str] = {}  # group -> the one that a sum has made it part of

    def conv(
        self,
        name: str,
        x: Features,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        activation: str | None = "relu",
        residual: Features | None = None,
        norm: bool = True,
        eps: float = 1e-5,
    ) -> Features:
        """A convolution across all channels; `residual` is added before the activation. Raises ZooError if it cannot be."""
        kind = "pointwise" if kernel_size == stride == 1 else "conv"
        kind = "stem" if x is self.image else "head" if out_channels == 1 else kind
        groups = (name,) if residual is None else residual.groups
        if residual is None:
            self.widths[name] = out_channels
        elif residual.channels != out_channels:
            raise ZooError(
                f"{name} has width {out_channels}, {residual.sources[0]}, which is added, {residual.channels}"
            )
        shape = Shape(kind, kernel_size, stride, x.channels, out_channels, x.height, x.width)
        added = residual.sources[0] if residual else None
        return self._note(Layer(name, shape, x.sources, x.groups, groups, activation, added, norm=norm, eps=eps))

    def depthwise(
        self,
        name: str,
        x: Features,
        kernel_size: int,
        *,
        stride: int = 1,
        activation: str | None = "relu",
        eps: float = 1e-5,
    ) -> Features:
        """A convolution of every channel by itself."""
        shape = Shape("depthwise", kernel_size, stride, x.channels, x.channels, x.height, x.width)
        return self._note(Layer(name, shape, x.sources, x.groups, x.groups, activation, eps=eps))

    def pool(self, name: str, x: Features, kernel_size: int, *, stride: int) -> Features:
        """The maximum of every window."""
        shape = Shape("pool", kernel_size, stride, x.channels, x.channels, x.height, x.width)
        return self._note(Layer(name, shape, x.sources, x.groups, x.groups, None, norm=False))

    def transposed(self, name: str, x: Features, out_channels: int | None, kernel_size: int) -> Features:
        """A transposed convolution that doubles the sides; of every channel by itself without `out_channels`."""
        kind = "depthwise_transposed" if out_channels is None else "transposed"
        groups = x.groups if out_channels is None else (name,)
        if out_channels is not None:
            self.widths[name] = out_channels
        shape = Shape(kind, kernel_size, 2, x.channels, out_channels or x.channels, x.height, x.width)
        return self._note(Layer(name, shape, x.sources, x.groups, groups, "relu"))

    def upsample(self, x: Features, mode: str) -> Features:
        """Twice the sides: `nearest`, `bilinear`, or `unpool`, which puts every pixel at the top left of four."""
        if mode != "unpool":  # which is done to the next layers' input: its result is not what other layers read
            self.layers[-1] = replace(self.layers[-1], upsample=mode)
        return x._replace(height=2 * x.height, width=2 * x.width)

    def add(self, x: Features, skip: Features) -> Features:
        """The latest layer's result with a skip added: from here on both have one group of channels. Raises ZooError."""
        if (x.channels, x.height, x.width) != (skip.channels, skip.height, skip.width):
            raise ZooError(f"{x.text} and {skip.text} cannot be added")
        self.layers[-1] = replace(self.layers[-1], skip=skip.sources[0])
        self.ties[x.groups[0]] = skip.groups[0]
        return x._replace(groups=skip.groups)

    def concat(self, x: Features, skip: Features) -> Features:
        """The channels of one after those of the other. Raises ZooError."""
        if (x.height, x.width) != (skip.height, skip.width):
            raise ZooError(f"{x.text} and {skip.text} cannot be concatenated")
        return x._replace(
            sources=x.sources + skip.sources, groups=x.groups + skip.groups, channels=x.channels + skip.channels
        )

    def _note(self, layer: Layer) -> Features:
        self.layers.append(layer)
        return Features((layer.name,), layer.out_groups, layer.shape.out_channels, *layer.shape.out_sides)


class EncoderFamily(NamedTuple):
    """Image in, features at a 32nd of its side out: how many widths it has, and the walk that gives its blocks' results.

    `mean` and `std` are what is taken from the image, in [0, 1], before the first convolution pads it with zeros.
    """

    widths: int
    walk: Callable[[Walk, Sequence[int]], list[Features]]
    mean: float = 0.0
    std: float = 1.0


class DecoderFamily(NamedTuple):
    """The stages of a decoder: the walk of one, of a name and a width, and how the sides double before or after it."""

    walk: Callable[[Walk, str, Features, int], Features]
    before: str | None = None  # unpool
    after: str | None = None  # nearest | bilinear
