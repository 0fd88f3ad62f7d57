"""Networks people would pick instead of FastDepth, built from public descriptions, without weights: good for latency alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import ZooError


@dataclass(frozen=True)
class Instead:
    """A network with its own input size. `missing` says what it cannot be built without, if that is not here."""

    name: str
    what: str
    input: tuple[int, int]  # height, width
    make: Callable[[], nn.Module]
    missing: str = ""


def networks() -> tuple[Instead, ...]:
    """All of them."""
    absent = "" if find_spec("transformers") else "not installed: pip install transformers"
    return (
        Instead(
            "resnet50_upproj",
            "after Laina et al. 2016; 228x304 is not of multiples of 32",
            (224, 320),
            _upproj,
        ),
        Instead("vit_small", "the geometry of Depth Anything V2 Small", (518, 518), _vit, absent),
    )


def count(network: nn.Module, height: int, width: int) -> tuple[int, int]:
    """(multiply-accumulates of all matrix products and convolutions for one image, all parameters)."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    plain = sdpa_kernel(SDPBackend.MATH)  # attention as the products it is made of, which the counter knows
    with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, height, width))
    return counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters())


def _upproj() -> nn.Module:
    import zoo

    return zoo.load("resnet50_upproj", pretrained=False)


class _Depth(nn.Module):
    """A network of transformers with a tensor for its result."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1, H, W)."""
        depth: Tensor = self.network(image).predicted_depth
        return depth[:, None]


def _vit() -> nn.Module:
    """DINOv2-small (Oquab et al. 2023) tapped after layers 3, 6, 9 and 12, and the DPT head of Depth Anything (Yang et al.
    2024, arXiv:2406.09414)."""
    try:
        from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config
    except ImportError as error:
        raise ZooError(f"transformers is installed and cannot be used: {error}") from error
    backbone = Dinov2Config(
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=6,
        image_size=518,
        patch_size=14,
        out_indices=[3, 6, 9, 12],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=384,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
    )
    return _Depth(DepthAnythingForDepthEstimation(config)).eval()
