"""Decoders: features at a 32nd of the side in, features at the full side out, joined by skips on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from .blocks import Separable, double


class NNConv5(nn.ModuleDict):
    """FastDepth's decoder (Wofk et al. 2019, arXiv:1903.03273): per stage 5x5 depthwise, 1x1, nearest x2, then the skip.

    `skips` maps a stage (1..5) to the encoder layer whose output is added after the doubling.
    """

    def __init__(self, cin: int, widths: Sequence[int], skips: Mapping[int, int]) -> None:
        inputs = (cin, *widths)
        super().__init__({str(j): Separable(inputs[j - 1], inputs[j], 5, nn.ReLU) for j in range(1, len(widths) + 1)})
        self.skips = dict(skips)

    def forward(self, encoded: Sequence[Tensor]) -> dict[int, Tensor]:
        """The encoder's outputs -> the output of every stage after doubling and skip; sides 14 28 56 112 224."""
        outputs: dict[int, Tensor] = {}
        x = encoded[-1]
        for j, stage in enumerate(self.values(), start=1):
            x = double(stage(x))
            if j in self.skips:
                x = x + encoded[self.skips[j]]
            outputs[j] = x
        return outputs


DECODERS = {"nnconv5": NNConv5}
