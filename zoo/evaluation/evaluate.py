"""How well a network predicts measured depth: per frame, then averaged; protocol and mask named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import image
from ..camera.intrinsics import Calibration
from ..camera.lens import Lens
from ..data.frames import Frame
from ..errors import ZooError
from . import metrics
from .protocols import Protocol

Network = Callable[[Tensor], Tensor]  # (1, 3, H, W) -> (1, 1, H, W) metres, in eval mode
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EvaluationFrame:
    """A frame as the protocol shows it to the network, and the true depth to compare with (metres, its own size). `factor` and
    `calibration` are what the camera makes of a prediction."""

    name: str
    view: NDArray[np.float32]
    depth: NDArray[np.float32]
    mask: NDArray[np.bool_]
    limits: tuple[float, float] | None = None  # of predictions, in metres
    factor: float = 1.0
    calibration: Calibration | None = None


def evaluation_frame(
    frame: Frame, protocol: Protocol, height: int = 224, width: int = 224, lens: Lens | None = None
) -> EvaluationFrame:
    """The frame as a protocol wants it; without a lens, as of an unknown one. Raises ZooError that names it."""
    picture, depth = frame.load()
    try:
        shown = protocol.show(picture, depth, height, width)
        sides = picture.shape[1], picture.shape[0]
        camera = (lens or Lens()).camera(*sides)
    except ZooError as error:
        raise ZooError(f"{frame.name}: {error}") from error
    factor = camera.factor(*protocol.seen(*sides))
    return EvaluationFrame(frame.name, *shown, protocol.limits, factor, camera.calibration)


def evaluation_frames(
    frames: Sequence[Frame], protocol: Protocol, on_progress: OnProgress, lens: Lens | None = None
) -> tuple[list[EvaluationFrame], list[str]]:
    """(the frames that can be evaluated, why others cannot). Raises ZooError if none can."""
    ready, skipped = [], []
    for i, frame in enumerate(frames):
        on_progress("reading frames", i, len(frames))
        try:
            ready.append(evaluation_frame(frame, protocol, lens=lens))
        except ZooError as error:
            skipped.append(str(error))
    if not ready:
        raise ZooError(f"no frame can be evaluated; the first: {skipped[0]}")
    return ready, skipped


@torch.no_grad()
def predict(network: Network, frame: EvaluationFrame) -> NDArray[np.float32]:
    """Metres at the size of the frame's depth."""
    depth: NDArray[np.float32] = network(torch.from_numpy(frame.view)[None])[0, 0].numpy()
    depth = depth * np.float32(frame.factor)
    depth = frame.calibration.apply(depth) if frame.calibration else depth
    return depth if depth.shape == frame.depth.shape else image.resize_depth(depth, *frame.depth.shape)


def evaluate(
    network: Network, frames: Sequence[EvaluationFrame], on_progress: OnProgress = lambda *_: None
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """(mean metrics with bias and spread of the scale, metrics of each frame) of a network."""
    rows = []
    for i, frame in enumerate(frames):
        rows.append(metrics.measure(predict(network, frame), frame.depth, frame.mask, frame.limits))
        on_progress(f"delta1 {np.mean([row['delta1'] for row in rows]):.3f}", i + 1, len(frames))
    scores = metrics.mean(rows) | metrics.bias_and_spread(rows)
    del scores["depth_ratio"]
    return scores, rows
