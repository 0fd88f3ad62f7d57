"""One step of training: a network with a head for each decoder stage, its optimisers, and the average of its weights."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ZooError
from ..model.layers import ConvNormAct
from ..model.network import FastDepth, initialise
from ..model.upsample import nearest
from ..variant import Variant
from .distributed import average_gradients
from .optimizer import Muon, split
from .recipe import STAGES, Recipe

CPU = torch.device("cpu")
EMA_DECAY = 0.999  # of the exponential moving average of the weights, which is what is evaluated and kept


class DeeplySupervised(nn.Module):
    """A network and the auxiliary heads through which its decoder's earlier stages are trained (Lee et al. 2015,
    Deeply-supervised nets). Raises ZooError unless its decoder upsamples by the nearest neighbour."""

    def __init__(self, network: FastDepth) -> None:
        super().__init__()
        if network.decoder.after != "nearest":
            raise ZooError(f"{network.variant.name}: only decoders that double by the nearest neighbour can be trained")
        self.network = network
        self.heads = nn.ModuleDict(
            {str(j): ConvNormAct(c, 1, 1) for j, c in enumerate(network.variant.decoder_widths[:-1], start=1)}
        )
        for module in self.modules():
            if isinstance(module, nn.ReLU | nn.ReLU6):
                module.inplace = True  # a third fewer bytes moved

    def forward(self, images: Tensor, stages: int) -> Tensor:
        """(N, 3, S, S) -> metres on the map that `stages` of the decoder give, side S / 2^(6 - stages).

        The last upsampling is left out: a head is a 1x1 layer, and those commute with it.
        """
        network = self.network
        encoded = network.encoder(images)
        x = encoded[-1]
        for j, stage in enumerate(network.decoder.values(), start=1):
            x = stage(x)
            if j == stages:
                break
            x = network.decoder.connect(j, nearest(x), encoded)
        depth: Tensor = network.head(x) if stages == STAGES else self.heads[str(stages)](x)
        return depth

    def predictor(self, stages: int) -> Callable[[Tensor], Tensor]:
        """The whole network as trained so far: images -> metres at the images' size, from and to the processor."""
        device = next(self.parameters()).device
        return lambda images: F.interpolate(self(images.to(device), stages), size=images.shape[2:]).cpu()


def loss(predicted: Tensor, target: Tensor) -> Tensor:
    """L1 on depth + half of L1 on log depth + half of L1 on the depth's differences, over known pixels."""
    known = target > 0
    error = torch.where(known, predicted - target, 0.0)
    logs = torch.where(known, predicted.clamp(min=0.05).log() - target.clamp(min=0.05).log(), 0.0)
    across = torch.where(known[..., 1:] & known[..., :-1], error[..., 1:] - error[..., :-1], 0.0)
    down = torch.where(known[..., 1:, :] & known[..., :-1, :], error[..., 1:, :] - error[..., :-1, :], 0.0)
    return error.abs().mean() + 0.5 * logs.abs().mean() + 0.5 * (across.abs().mean() + down.abs().mean())


class Trainer:
    """A model in training, the average of its weights, its optimisers, and how many steps they have taken."""

    PARTS = ("model", "ema", "adamw", "muon")

    def __init__(
        self,
        variant: Variant,
        recipe: Recipe,
        start: FastDepth | None,
        rng: torch.Generator,
        device: torch.device = CPU,
    ) -> None:
        """Random weights, or those of a network `start`. Raises ZooError if the former begin with a phase that
        freezes their statistics."""
        if start is None and recipe.phases[0].freeze_bn:
            raise ZooError(
                "a phase with freeze_bn needs running statistics: begin with weights, or with a phase without it"
            )
        self.recipe, self.device = recipe, device
        network = FastDepth(variant)
        initialise(network, rng)
        self.model = DeeplySupervised(network)
        for head in self.model.heads.values():
            initialise(head, rng)
            nn.init.constant_(head.norm.bias, 2.5)  # type: ignore[arg-type,union-attr]
        if start is not None:
            network.load_state_dict(start.state_dict())
        self.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.model).eval()
        matrices, rest = split(self.model)
        self.adamw = torch.optim.AdamW(rest, recipe.lr, weight_decay=recipe.weight_decay)
        self.muon = Muon(matrices, recipe.muon_lr)
        self.steps = 0

    def step(self, images: Tensor, depths: Tensor, stages: int, lr_scale: float, *, freeze_bn: bool = False) -> float:
        """One step of both optimisers, at a share `lr_scale` of their peak rates, and of the average; the loss.

        `freeze_bn`: normalised by running statistics, which stay as they are. The head's own normalisation otherwise forces
        the mean depth of every batch to be the same, whatever its pictures show.
        """
        self.model.train()
        if freeze_bn:
            for module in self.model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.amp):
            predicted = self.model(images.to(memory_format=torch.channels_last), stages)
        value = loss(predicted.float(), depths)
        self.model.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        average_gradients(self.model)
        for optimiser, peak in ((self.adamw, self.recipe.lr), (self.muon, self.recipe.muon_lr)):
            optimiser.param_groups[0]["lr"] = peak * lr_scale
            optimiser.step()
        self.steps += 1
        decay = min(EMA_DECAY, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for kept, fresh in zip(self.ema.state_dict().values(), self.model.state_dict().values(), strict=True):
                if kept.dtype.is_floating_point:
                    kept.lerp_(fresh, 1 - decay)
        return value.item()
