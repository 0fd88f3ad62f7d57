"""Decoders: features at a 32nd of the side in, features at the full side out, joined by skips on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .layers import Layer, Separable, double
from .upsample import SeparableTransposed, Transposed, UpProjection, bilinear, unpool


def as_it_is(x: Tensor) -> Tensor:
    """x."""
    return x


class Doubling(NamedTuple):
    """One stage: a layer, made of (cin, cout), and what happens to the map before and after it; together they double."""

    layer: Callable[[int, int], nn.Module]
    before: Callable[[Tensor], Tensor] = as_it_is
    after: Callable[[Tensor], Tensor] = as_it_is


class Decoder(nn.ModuleDict):
    """Stages that each double the side, and add or append what a skip brings afterwards.

    `skips` maps a stage (1..5) to the encoder layer whose output joins after the doubling; `skip` says how: add or concat.
    """

    def __init__(
        self, doubling: Doubling, encoder: Sequence[int], widths: Sequence[int], skips: Mapping[int, int], skip: str
    ) -> None:
        cin, stages = encoder[-1], {}
        for j, width in enumerate(widths, start=1):
            stages[str(j)] = doubling.layer(cin, width)
            cin = width + (encoder[skips[j]] if skip == "concat" and j in skips else 0)
        super().__init__(stages)
        self.doubling, self.skips, self.skip = doubling, dict(skips), skip

    def forward(self, encoded: Sequence[Tensor]) -> dict[int, Tensor]:
        """The encoder's outputs -> the output of every stage after doubling and skip; sides 14 28 56 112 224."""
        outputs: dict[int, Tensor] = {}
        x = encoded[-1]
        for j, stage in enumerate(self.values(), start=1):
            doubled = self.doubling.after(stage(self.doubling.before(x)))
            x = outputs[j] = self.join(j, doubled, encoded)
        return outputs

    def join(self, stage: int, x: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """A stage's doubled output with the encoder's layer that belongs there."""
        if stage not in self.skips:
            return x
        other = encoded[self.skips[stage]]
        return x + other if self.skip == "add" else torch.cat([x, other], 1)


def _dense(taps: int) -> Callable[[int, int], nn.Module]:
    return lambda cin, cout: Layer(cin, cout, taps, nn.ReLU())


def _separable(taps: int) -> Callable[[int, int], nn.Module]:
    return lambda cin, cout: Separable(cin, cout, taps, nn.ReLU)


# nnconv5 is FastDepth's (Wofk et al. 2019, arXiv:1903.03273): per stage 5x5 depthwise, 1x1, nearest x2, then the skip.
# The others are those its study compares: convolutions across all channels, other taps, other ways to double.
DECODERS = {
    "nnconv5": Doubling(_separable(5), after=double),
    "nnconv5_dense": Doubling(_dense(5), after=double),
    "nnconv3": Doubling(_separable(3), after=double),
    "nnconv3_dense": Doubling(_dense(3), after=double),
    "blconv5_dense": Doubling(_dense(5), after=bilinear),
    "deconv5": Doubling(lambda cin, cout: SeparableTransposed(cin, cout, 5)),
    "deconv5_dense": Doubling(lambda cin, cout: Transposed(cin, cout, 5)),
    "upconv": Doubling(_dense(5), before=unpool),
    "upproj": Doubling(UpProjection, before=unpool),
}
