"""Name -> network, ready to use."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import ZooError
from ..model.network import FastDepth, initialise, network_of
from ..variant import Variant, variant
from . import checkpoint, hub


def load(
    name: str = "fastdepth_pruned",
    pretrained: bool = True,
    *,
    weights: str | Path | None = None,
    progress: bool = True,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    device: str | torch.device = "cpu",
) -> FastDepth:
    """A network in eval mode: (N, 3, H, W) RGB in [0, 1], sides multiples of 32 -> (N, 1, H, W) metres.

    `name` is a variant (`zoo list`) or a checkpoint folder (what `zoo import` writes). `weights` replaces the variant's
    own by a safetensors file or folder. `pretrained=False` gives random weights, drawn from torch's generator.
    Raises ZooError when the weights are missing, damaged, or of another variant.
    """
    which, folder = identify(name)
    network = network_of(which)
    if pretrained:
        path = hub.resolve(
            which,
            weights=weights or folder,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            progress=progress,
        )
        checkpoint.restore(network, path)
    else:
        if weights is not None:
            raise ZooError("weights= given together with pretrained=False; choose one")
        if which.dtype != "f32":
            raise ZooError(
                f"{which.name}: there are no random weights in {which.dtype}; zoo quantize makes them of others"
            )
        initialise(network)
    return network.to(device).eval()


def identify(name: str) -> tuple[Variant, Path | None]:
    """A variant's name or a checkpoint folder -> (variant, the folder or None)."""
    folder = Path(name)
    if (folder / checkpoint.CONFIG).exists():
        return checkpoint.config(folder)[0], folder
    return variant(name), None
