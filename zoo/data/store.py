"""Training data made ready once: pictures decoded, depths beside them, as two memory-mapped arrays in a folder.

A store knows what it was made from; the same sources find it again, others replace it. Bad files are left out and named.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from .. import image
from ..errors import ZooError
from ..files import check, read_bounded, write_atomic
from .frames import Frame
from .rooms import render
from .teacher import predict_teacher

FILES = ("store.json", "images.npy", "depths.npy")
FRAME = (240, 320)  # height, width of stored frames
PHOTO = (256, 256)
VIEW = 224  # the side at which a teacher sees photos
LABELLED_AT_ONCE = 32

OnProgress = Callable[[str, int, int], None]
Samples = Iterable[tuple[NDArray[np.uint8], NDArray[np.float16]]]


@dataclass(frozen=True)
class Store:
    """Images (N, 3, h, w) uint8 and depths (N, 1, h', w') float16 metres, 0 unknown. `crop`: the share of a picture's
    width and height that the published recipe would look at. `teacher`: what predicted the depths, if anything did."""

    images: Tensor
    depths: Tensor
    crop: float
    skipped: tuple[str, ...]
    teacher: nn.Module | None = None


def measured(frames: Sequence[Frame], folder: Path, on_progress: OnProgress) -> Store:
    """Frames with measured depth, thinned to 240x320 as the published recipe does: nearest neighbour."""

    def thin(values: NDArray[Any]) -> NDArray[Any]:
        made = Image.fromarray(values).resize(FRAME[::-1], Image.Resampling.NEAREST)
        return np.asarray(made)

    def samples() -> Iterable[tuple[NDArray[np.uint8], NDArray[np.float16]] | str]:
        for i, frame in enumerate(frames):
            on_progress("reading frames", i, len(frames))
            try:
                picture, depth = frame.load()
                yield thin(picture).transpose(2, 0, 1), thin(depth).astype(np.float16)[None]
            except ZooError as error:
                yield str(error)

    key = _key("measured", *(f"{frame.name} {frame.scale:g}" for frame in frames))
    return _store(folder, key, len(frames), FRAME, FRAME, image.CROP[1] / image.COVER[1], samples)


def pseudo_labelled(
    photos: Sequence[Path], teacher: nn.Module, key: str, folder: Path, on_progress: OnProgress
) -> Store:
    """Photos seen whole, with what a teacher, told from others by `key`, predicts for them."""
    teacher = copy.deepcopy(teacher).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def label(pictures: list[image.Pixels]) -> Samples:
        views = np.stack([image.whole(picture, VIEW, VIEW) for picture in pictures])
        depths = predict_teacher(teacher, torch.from_numpy(views)).numpy().astype(np.float16)
        for picture, depth in zip(pictures, depths, strict=True):
            yield (image.whole(picture, *PHOTO) * 255).round().astype(np.uint8), depth

    def samples() -> Iterable[tuple[NDArray[np.uint8], NDArray[np.float16]] | str]:
        waiting = []
        for i, path in enumerate(photos):
            on_progress("labelling photos", i, len(photos))
            try:
                waiting.append(image.read(path))
            except ZooError as error:
                yield str(error)
            if len(waiting) == LABELLED_AT_ONCE or i == len(photos) - 1:
                yield from label(waiting) if waiting else ()
                waiting = []

    # the first word is part of the key of stores that are there already
    made = _store(
        folder, _key("taught", key, *map(str, photos)), len(photos), PHOTO, (VIEW // 2, VIEW // 2), 1.0, samples
    )
    return replace(made, teacher=teacher)


def rendered(count: int, folder: Path, on_progress: OnProgress) -> Store:
    """Rooms number 0 … count - 1 of our own making, with exact depth."""

    def samples() -> Iterable[tuple[NDArray[np.uint8], NDArray[np.float16]] | str]:
        for seed in range(count):
            on_progress("rendering rooms", seed, count)
            picture, depth = render(seed, *FRAME)
            yield picture.transpose(2, 0, 1), depth.astype(np.float16)[None]

    return _store(folder, _key("rendered", str(count)), count, FRAME, FRAME, image.CROP[1] / image.COVER[1], samples)


def written(path: Path) -> bool:
    """Whether a file of this name lies in the folder of a store, finished or not."""
    record = json.loads((path.parent / FILES[0]).read_text())
    return isinstance(record, dict) and "key" in record


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(("1", *parts)).encode()).hexdigest()


def _store(
    folder: Path,
    key: str,
    most: int,
    image_size: tuple[int, int],
    depth_size: tuple[int, int],
    crop: float,
    samples: Callable[[], Iterable[tuple[NDArray[np.uint8], NDArray[np.float16]] | str]],
) -> Store:
    """The store in `folder`, made from `samples` (or the reason why one is left out) unless it is there already."""
    record, images, depths = (folder / name for name in FILES)
    try:
        known = json.loads(read_bounded(record))
    except (ZooError, ValueError):
        known = {}
    if known.get("key") != key or "count" not in known:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(
            record, json.dumps({"key": key}).encode()
        )  # the arrays are a store's from now on, if not a finished one's
        pictures = open_memmap(images, "w+", np.uint8, (most, 3, *image_size))
        metres = open_memmap(depths, "w+", np.float16, (most, 1, *depth_size))
        count, skipped = 0, []
        for sample in samples():
            if isinstance(sample, str):
                skipped.append(sample)
            else:
                pictures[count], metres[count] = sample
                count += 1
        pictures.flush()
        metres.flush()
        known = {"key": key, "count": count, "skipped": skipped}
        write_atomic(record, json.dumps(known).encode())  # last, so that a store without a count was never finished
    if not known["count"]:
        raise ZooError(
            f"{folder}: nothing to train on; {len(known['skipped'])} files were bad, the first: "
            + (known["skipped"] or ["none"])[0]
        )
    for path in (images, depths):
        check(path)
    arrays = [torch.from_numpy(np.load(path, mmap_mode="c"))[: known["count"]] for path in (images, depths)]
    return Store(arrays[0], arrays[1], crop, tuple(known["skipped"]))
