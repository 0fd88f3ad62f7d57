"""The network: encoder, decoder, head. `python -m zoo.model.network` prints its stages and shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import ZooError
from ..pickling import Portable
from ..variant import Variant
from .architecture import Architecture, architecture
from .decoders import DECODERS
from .encoders import ENCODERS
from .layers import ConvNormAct, block
from .pretrained import Pretrained
from .upsample import UPSAMPLE

STRIDE = 32  # of the encoder: sides of the input must be its multiples


class Encoder(Portable, nn.Sequential):
    """The blocks encoder.0, encoder.1 … in a row."""

    def __init__(self, variant: Variant, layers: Architecture) -> None:
        super().__init__(
            *(block(layers.block(f"encoder.{i}"), f"encoder.{i}") for i in range(len(variant.encoder_widths)))
        )
        family = ENCODERS[variant.encoder]
        self.mean, self.std = family.mean, family.std

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) RGB in [0, 1] -> the result of every block, the last (N, C, H / 32, W / 32)."""
        x, outputs = image, []
        if (self.mean, self.std) != (0.0, 1.0):
            x = (x - self.mean) / self.std
        for part in self:
            outputs.append(x := part(x))
        return outputs


class Decoder(Portable, nn.ModuleDict):
    """Stages 1 … 5 that each double the sides, and add or concatenate the encoder's result that a skip brings afterwards."""

    def __init__(self, variant: Variant, layers: Architecture) -> None:
        stages = range(1, len(variant.decoder_widths) + 1)
        super().__init__({str(j): block(layers.block(f"decoder.{j}"), f"decoder.{j}") for j in stages})
        family = DECODERS[variant.decoder]
        self.before, self.after = family.before, family.after
        self.skips, self.skip = {stage: layer for layer, stage in variant.skips}, variant.skip

    def forward(self, encoded: Sequence[Tensor]) -> dict[int, Tensor]:
        """The encoder's results -> those of every stage after upsampling and skip; sides 14 28 56 112 224."""
        outputs: dict[int, Tensor] = {}
        x = encoded[-1]
        for j, stage in enumerate(self.values(), start=1):
            x = stage(UPSAMPLE[self.before](x) if self.before else x)
            x = UPSAMPLE[self.after](x) if self.after else x
            x = outputs[j] = self.connect(j, x, encoded)
        return outputs

    def connect(self, stage: int, x: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """A stage's upsampled result with the encoder's that its skip brings, if it has one."""
        if stage not in self.skips:
            return x
        other = encoded[self.skips[stage]]
        return x + other if self.skip == "add" else torch.cat([x, other], 1)


class FastDepth(Portable, Pretrained, nn.Module):
    """One RGB image in, a dense depth map out, after Wofk et al., "FastDepth", ICRA 2019 (arXiv:1903.03273).

    Input (N, 3, H, W), RGB in [0, 1], H and W multiples of 32. Output (N, 1, H, W), metres, >= 0.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        layers = architecture(variant)
        self.encoder = Encoder(variant, layers)
        self.decoder = Decoder(variant, layers)
        self.head = ConvNormAct(layers.layers[-1].shape.in_channels, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] -> (N, 1, H, W) metres."""
        return self.stages(image)["head"]

    def stages(self, image: Tensor) -> dict[str, Tensor]:
        """Every stage's output by name: encoder.0, …, decoder.1 … decoder.5 (upsampled, with its skip), head."""
        check_sides(image)
        encoded = self.encoder(image)
        decoded = self.decoder(encoded)
        return (
            {f"encoder.{i}": x for i, x in enumerate(encoded)}
            | {f"decoder.{j}": x for j, x in decoded.items()}
            | {"head": self.head(decoded[max(decoded)])}
        )


def check_sides(image: Tensor) -> None:
    """Raise ZooError for what no network takes."""
    if image.ndim != 4 or image.shape[1] != 3 or image.shape[2] % STRIDE or image.shape[3] % STRIDE:
        raise ZooError(f"the network takes (N, 3, H, W) with H and W multiples of {STRIDE}, not {tuple(image.shape)}")


def network_of(variant: Variant) -> FastDepth:
    """What computes a variant, in its dtype; its numbers are not there yet."""
    if variant.dtype == "f32":
        return FastDepth(variant)
    from .quantized import QuantizedFastDepth

    return QuantizedFastDepth(variant)


def initialise(network: nn.Module, generator: torch.Generator | None = None, *, depth: float = 2.5) -> None:
    """He initialisation for training from scratch; the head starts at a room's typical depth (metres)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    if isinstance(network, FastDepth):
        nn.init.constant_(network.head.norm.bias, depth)


def count(network: FastDepth, height: int, width: int) -> tuple[int, int]:
    """(multiply-accumulates of the convolutions for one image of that size, convolution weights), as they are seen to run.

    A transposed convolution uses every weight at every pixel of its input, any other at every pixel of its result.
    """
    macs = 0

    def record(conv: nn.Conv2d | nn.ConvTranspose2d, given: tuple[Tensor], output: Tensor) -> None:
        nonlocal macs
        grid = given[0] if isinstance(conv, nn.ConvTranspose2d) else output
        macs += conv.weight.numel() * grid.shape[2] * grid.shape[3]

    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [conv.register_forward_hook(record) for conv in convs]
    with torch.no_grad():
        parameter = next(network.parameters())
        network(torch.zeros(1, 3, height, width, device=parameter.device, dtype=parameter.dtype))
    for hook in hooks:
        hook.remove()
    return macs, sum(conv.weight.numel() for conv in convs)


def _show() -> None:
    from .. import console
    from ..variant import catalogue

    for variant in catalogue():
        network = FastDepth(variant).eval()
        macs, weights = count(network, *variant.input)
        console.heading(f"{variant.name}: {macs / 1e6:.2f} M MACs, {weights:,} conv weights")
        table = console.table("stage", "shape")
        with torch.no_grad():
            for name, output in network.stages(torch.zeros(1, 3, *variant.input)).items():
                table.add_row(name, " x ".join(map(str, output.shape[1:])))
        console.out.print(table)


if __name__ == "__main__":
    _show()
