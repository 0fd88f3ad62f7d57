"""How well a network predicts measured depth: per frame, then averaged; protocol and mask named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import image
from ..data.frames import Frame
from ..errors import ZooError
from . import metrics

NEAREST_M, FARTHEST_M = 0.0, 9.9  # the mask, both ends excluded
PROTOCOLS = ("published", "whole")
Network = Callable[[Tensor], Tensor]  # (1, 3, H, W) -> (1, 1, H, W) metres, in eval mode
Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EvaluationFrame:
    """A frame as the protocol shows it to the network, and the true depth to compare with (metres, its own size)."""

    name: str
    view: NDArray[np.float32]
    depth: NDArray[np.float32]
    mask: NDArray[np.bool_]


def evaluation_frame(frame: Frame, protocol: str, height: int = 224, width: int = 224) -> EvaluationFrame:
    """`published`: both cropped and thinned to the input's size. `whole`: the whole picture in, compared at full size."""
    picture, depth = frame.load()
    if protocol == "published":
        view, depth = image.published(picture, height, width), image.published_depth(depth, height, width)
    else:
        view = image.whole(picture, height, width)
    mask = (depth > NEAREST_M) & (depth < FARTHEST_M)
    if not mask.any():
        raise ZooError(f"{frame.name}: no depth between {NEAREST_M:g} and {FARTHEST_M} m to compare with")
    return EvaluationFrame(frame.name, view, depth, mask)


def evaluation_frames(frames: Sequence[Frame], protocol: str, tick: Tick) -> tuple[list[EvaluationFrame], list[str]]:
    """(the frames that can be evaluated, why others cannot). Raises ZooError if none can."""
    ready, skipped = [], []
    for i, frame in enumerate(frames):
        tick("reading frames", i, len(frames))
        try:
            ready.append(evaluation_frame(frame, protocol))
        except ZooError as error:
            skipped.append(str(error))
    if not ready:
        raise ZooError(f"no frame can be evaluated; the first: {skipped[0]}")
    return ready, skipped


@torch.no_grad()
def predict(network: Network, frame: EvaluationFrame) -> NDArray[np.float32]:
    """Metres at the size of the frame's depth."""
    depth: NDArray[np.float32] = network(torch.from_numpy(frame.view)[None])[0, 0].numpy()
    return depth if depth.shape == frame.depth.shape else image.resize_depth(depth, *frame.depth.shape)


def evaluate(
    network: Network, frames: Sequence[EvaluationFrame], tick: Tick = lambda *_: None
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """(mean metrics, metrics of each frame) of a network."""
    rows = []
    for i, frame in enumerate(frames):
        rows.append(metrics.measure(predict(network, frame), frame.depth, frame.mask))
        tick(f"delta1 {np.mean([row['delta1'] for row in rows]):.3f}", i + 1, len(frames))
    return metrics.mean(rows), rows
