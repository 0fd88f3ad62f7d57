"""Decoders: features at a 32nd of the side in, features at the full side out, joined by skips on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from .blocks import Layer, Separable, double


class NNConv5(nn.ModuleDict):
    """FastDepth's decoder (Wofk et al. 2019, arXiv:1903.03273): per stage 5x5 depthwise, 1x1, nearest x2, then the skip.

    `skips` maps a stage (1..5) to the encoder layer whose output joins after the doubling; `skip` says how: add or concat.
    `dense` makes every stage one 5x5 convolution across all channels, as in the study the design came from.
    """

    def __init__(
        self, encoder: Sequence[int], widths: Sequence[int], skips: Mapping[int, int], skip: str, *, dense: bool = False
    ) -> None:
        cin, stages = encoder[-1], {}
        for j, width in enumerate(widths, start=1):
            stages[str(j)] = Layer(cin, width, 5, nn.ReLU()) if dense else Separable(cin, width, 5, nn.ReLU)
            cin = width + (encoder[skips[j]] if skip == "concat" and j in skips else 0)
        super().__init__(stages)
        self.skips, self.skip = dict(skips), skip

    def forward(self, encoded: Sequence[Tensor]) -> dict[int, Tensor]:
        """The encoder's outputs -> the output of every stage after doubling and skip; sides 14 28 56 112 224."""
        outputs: dict[int, Tensor] = {}
        x = encoded[-1]
        for j, stage in enumerate(self.values(), start=1):
            x = outputs[j] = self.join(j, double(stage(x)), encoded)
        return outputs

    def join(self, stage: int, x: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """A stage's doubled output with the encoder's layer that belongs there."""
        if stage not in self.skips:
            return x
        other = encoded[self.skips[stage]]
        return x + other if self.skip == "add" else torch.cat([x, other], 1)


DECODERS: dict[str, Callable[..., NNConv5]] = {"nnconv5": NNConv5, "nnconv5_dense": partial(NNConv5, dense=True)}
