"""Teachers: networks whose predictions stand in for measured depth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..weights import checkpoint, hub
from ..weights.load import identify, load

NEAREST_M = 0.05  # what a logarithm is taken of; nearer than that, as in the loss, all is alike


class Ensemble(nn.Module):
    """The mean in log depth of networks' predictions, with `mirror` also of what they predict for the mirrored picture."""

    def __init__(self, members: Sequence[nn.Module], *, mirror: bool = False) -> None:
        super().__init__()
        self.members, self.mirror = nn.ModuleList(members), mirror

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] -> (N, 1, H, W) metres."""
        depths = [network(images) for network in self.members]
        if self.mirror:
            flipped = images.flip(-1)
            depths += [network(flipped).flip(-1) for network in self.members]
        return torch.stack([depth.clamp(min=NEAREST_M).log() for depth in depths]).mean(0).exp()


def teacher(names: Sequence[str], *, mirror: bool = False) -> tuple[nn.Module, str]:
    """(what the named variants or checkpoint folders predict together, a key that tells it from other teachers: the
    sha256 of all weights, and whether mirrored). Raises ZooError where weights are missing or damaged."""
    found = [identify(name) for name in names]
    digests = [checkpoint.digest(hub.resolve(which, weights=folder)) for which, folder in found]
    networks = [load(name) for name in names]
    key = "+".join(digests) + (" mirrored" if mirror else "")
    return (networks[0] if len(networks) == 1 and not mirror else Ensemble(networks, mirror=mirror).eval()), key


@torch.no_grad()
def predict_teacher(teacher: nn.Module, views: Tensor) -> Tensor:
    """(N, 3, 224, 224) in [0, 1] -> the teacher's depths (N, 1, 112, 112) in metres."""
    depths: Tensor = teacher.to(views.device)(views.to(memory_format=torch.channels_last))[:, :, ::2, ::2]
    return depths
