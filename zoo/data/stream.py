"""Training batches from stores, augmented as whole batches: one affine sampling does scale, shift, rotation and flip for
picture and depth alike.

Metric depth hangs on apparent size: whatever looks s times larger is s times nearer. So depth is divided by the scale of
the augmentation, and by side / 224 where the whole runs at another side than the network is meant for.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ZooError
from ..training.recipe import STAGES, Phase
from .store import VIEW, Store
from .teacher import predict_teacher

SCALES = (1.0, 1.5)  # as published
TURN = 5.0  # degrees either way, as published
CPU = torch.device("cpu")


def batch(
    sources: Sequence[tuple[Store, int]],
    phase: Phase,
    stages: int,
    color_jitter: float,
    rng: torch.Generator,
    device: torch.device = CPU,
) -> tuple[Tensor, Tensor]:
    """So many augmented samples of each source, as a phase wants them -> images (N, 3, S, S) in [0, 1] and depths
    (N, 1, s, s) in metres, 0 where unknown, for `stages` of the decoder: s = S / 2^(6 - stages). Made on `device`, chance
    is the generator's alone.

    Scales are spread evenly over `SCALES`, as published, or with a `scale_bias` above 1 crowd towards the first of them,
    at which a network is used. With a `mixup` above 0 that share of the views of photos is blended with other views of
    the batch, and the photos' teacher predicts every view of one as it is shown, colours and all.
    """
    sources = [(store, count) for store, count in sources if count]
    ends = itertools.accumulate(count for _, count in sources)
    spans = [(store.teacher, slice(end - count, end)) for (store, count), end in zip(sources, ends, strict=True)]
    relabelled = [(teacher, span) for teacher, span in spans if teacher and phase.mixup]
    at = VIEW if relabelled else phase.side  # the teacher's side
    parts = [_sample(store, count, phase, stages, at, rng, device) for store, count in sources]
    images, depths = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    if not relabelled:
        return _color_jitter(images, color_jitter, rng), depths
    plain = images.clone()
    for _, span in relabelled:
        images[span] = _mixup(images[span], plain, phase.mixup, rng)
    images = _color_jitter(images, color_jitter, rng)
    for teacher, span in relabelled:
        depths[span] = F.interpolate(predict_teacher(teacher, images[span]), depths.shape[2:]) * (VIEW / phase.side)
    return F.interpolate(images, (phase.side, phase.side), mode="area"), depths


def deal(stores: Mapping[str, Store], weights: Mapping[str, float], size: int) -> list[tuple[Store, int]]:
    """A batch's size dealt out to the stores by their weights. Raises ZooError if none of them has any."""
    ends = list(itertools.accumulate(weights.get(name, 0.0) for name in stores))
    if not ends[-1]:
        raise ZooError(
            f"the recipe samples from {' and '.join(weights)}, and none of these is given; given: {', '.join(stores)}"
        )
    marks = [0, *(round(size * end / ends[-1]) for end in ends)]
    return [(store, marks[i + 1] - marks[i]) for i, store in enumerate(stores.values())]


def _sample(
    store: Store,
    count: int,
    phase: Phase,
    stages: int,
    at: int,
    rng: torch.Generator,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Views for a network that is trained at the phase's side, their pictures drawn at another side `at`."""
    chosen = torch.randint(len(store.images), (count,), generator=rng)
    uniform = partial(_uniform, rng, (count,))

    # At a smaller side a closer look keeps things at the size they have at the full one.
    closer = math.sqrt(VIEW / phase.side)
    scale = closer * (SCALES[0] + (SCALES[1] - SCALES[0]) * uniform(0, 1) ** phase.scale_bias)
    angle = uniform(-TURN, TURN) * math.pi / 180
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    zoom = store.crop / scale
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = flip * zoom * angle.cos(), -zoom * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = flip * zoom * angle.sin(), zoom * angle.cos()
    theta[:, 0, 2], theta[:, 1, 2] = uniform(-1, 1) * (1 - zoom), uniform(-1, 1) * (1 - zoom)
    # nearest half the time: the published evaluation samples pictures that way
    mode = "nearest" if torch.rand((), generator=rng) < 0.5 else "bilinear"

    def look(values: Tensor, size: int, how: str) -> Tensor:
        grid = F.affine_grid(theta.to(device), [count, 1, size, size], align_corners=False)
        return F.grid_sample(values[chosen].to(device).float(), grid, how, "border", align_corners=False)

    nearer = (scale * phase.side / VIEW).to(device)[:, None, None, None]
    depths = look(store.depths, phase.side // 2 ** (1 + STAGES - stages), "nearest") / nearer
    return look(store.images, at, mode) / 255, depths


def _uniform(rng: torch.Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=rng)


def _mixup(views: Tensor, others: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """A share of the views faded into others, along a direction of chance: from half and half everywhere to a sharp
    edge."""
    n, side = len(views), views.shape[-1]
    uniform = partial(_uniform, rng, (n, 1, 1))
    partners = others[torch.randint(len(others), (n,), generator=rng)]
    angle, shift, steepness = uniform(0, 2 * math.pi), uniform(-0.8, 0.8), uniform(math.log(0.3), math.log(30)).exp()
    axis = torch.linspace(-1, 1, side)
    along = axis * angle.cos() + axis[:, None] * angle.sin() - shift
    faded = (0.5 + steepness * along).clamp(0, 1) * (uniform(0, 1) < share)
    return torch.lerp(views, partners, faded[:, None].to(views.device))


def _color_jitter(images: Tensor, amount: float, rng: torch.Generator) -> Tensor:
    """Brightness, tint, saturation and contrast, each by a random factor within 0.4 * amount of 1."""
    n = len(images)

    def factor() -> Tensor:
        return 1 + amount * (0.8 * torch.rand(n, 1, 1, 1, generator=rng) - 0.4).to(images.device)

    tint = torch.randn(n, 3, 1, 1, generator=rng).to(images.device)
    images = images * factor() * (1 + 0.08 * amount * tint)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * factor()
    middle = images.mean((1, 2, 3), keepdim=True)
    return (middle + (images - middle) * factor()).clamp(0, 1)
