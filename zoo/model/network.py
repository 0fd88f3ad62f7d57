"""The network: encoder, decoder, head. `python -m zoo.network` prints its stages and shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import ZooError
from ..variant import Variant
from .decoders import DECODERS, Decoder
from .encoders import ENCODERS
from .layers import Layer

STRIDE = 32  # of the encoder: sides of the input must be its multiples


class FastDepth(nn.Module):
    """One RGB image in, a dense depth map out, after Wofk et al., "FastDepth", ICRA 2019 (arXiv:1903.03273).

    Input (N, 3, H, W), RGB in [0, 1], H and W multiples of 32. Output (N, 1, H, W), metres, >= 0.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        self.encoder = ENCODERS[variant.encoder](variant.encoder_widths)
        self.decoder = Decoder(
            DECODERS[variant.decoder],
            variant.encoder_widths,
            variant.decoder_widths,
            {stage: layer for layer, stage in variant.skips},
            variant.skip,
        )
        self.head = Layer(variant.decoder_widths[-1], 1, 1, nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] -> (N, 1, H, W) metres."""
        return self.stages(image)["head"]

    def stages(self, image: Tensor) -> dict[str, Tensor]:
        """Every stage's output by name: encoder.0, …, decoder.1 … decoder.5 (doubled, skip added), head."""
        if image.ndim != 4 or image.shape[1] != 3 or image.shape[2] % STRIDE or image.shape[3] % STRIDE:
            raise ZooError(
                f"the network takes (N, 3, H, W) with H and W multiples of {STRIDE}, not {tuple(image.shape)}"
            )
        encoded = self.encoder(image)
        decoded = self.decoder(encoded)
        return (
            {f"encoder.{i}": x for i, x in enumerate(encoded)}
            | {f"decoder.{j}": x for j, x in decoded.items()}
            | {"head": self.head(decoded[max(decoded)])}
        )


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
    """(multiply-accumulates of the convolutions for one image of that size, convolution weights).

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
