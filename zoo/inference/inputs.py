"""What people hand over as a picture, in memory or by name, turned into pixels. numpy and Pillow only.

a path; a Pillow image; an array (H, W, 3), (H, W, 4) with transparency, (H, W) or (H, W, 1) of grey; a tensor or array
(3, H, W), (4, H, W), (1, H, W). Numbers are uint8, or floats in [0, 1]. Several: a list or tuple of any of these, an array
(N, H, W, C), a tensor (N, C, H, W).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ZooError
from ..image import Pixels, exif, from_pillow, read

TAKEN = "a path, a Pillow image, an array (H, W), (H, W, 3) or (H, W, 4), a tensor (C, H, W), or a list of these"
CHANNELS = (1, 3, 4)
ORDERS = {"rgb": [0, 1, 2, 3], "bgr": [2, 1, 0, 3]}
BEYOND = 1e-3  # what a float may be outside of [0, 1]: rounding, not another scale


def tags(given: Any) -> list[dict[int, Any]]:
    """EXIF of each of what `pictures` takes; arrays have none."""
    return [_tags(one) for one in given] if isinstance(given, list | tuple) else [_tags(given)]


def _tags(given: Any) -> dict[int, Any]:
    if isinstance(given, Image.Image):
        return exif(given)
    return exif(Path(given)) if isinstance(given, str | os.PathLike) else {}


def pictures(given: Any, channels: str = "rgb") -> tuple[list[Pixels], bool]:
    """(the pictures as upright RGB, whether several were given). `channels`: the order in arrays and tensors, rgb or bgr.
    Raises ZooError for anything else, in one line that says what is taken."""
    if channels not in ORDERS:
        raise ZooError(f"channels={channels!r}: give rgb, or bgr for pictures from OpenCV")
    if isinstance(given, list | tuple):
        return [_pixels(one, channels) for one in given], True
    if _is_array(given) and given.ndim == 4:
        return [_pixels(one, channels) for one in given], True
    return [_pixels(given, channels)], False


def _pixels(given: Any, channels: str) -> Pixels:
    if isinstance(given, str | os.PathLike):
        return read(Path(given))
    if isinstance(given, Image.Image):
        return from_pillow(given)
    if not _is_array(given):
        raise ZooError(f"a picture is {TAKEN}; not {type(given).__name__}")
    tensor = not isinstance(given, np.ndarray)
    array = _last(_numpy(given), tensor)
    values = _bytes(array)
    if values.shape[-1] == 1:
        values = values[..., 0]
    elif channels != "rgb":
        values = values[..., ORDERS[channels][: values.shape[-1]]]
    return from_pillow(Image.fromarray(np.ascontiguousarray(values)))


def _is_array(given: Any) -> bool:
    """Whether this is numpy's, or torch's (which need not be imported to be asked)."""
    return isinstance(given, np.ndarray) or (hasattr(given, "detach") and hasattr(given, "ndim"))


def _numpy(tensor: Any) -> NDArray[Any]:
    if isinstance(tensor, np.ndarray):
        return tensor
    plain = tensor.detach().cpu()
    found: NDArray[Any] = (plain.float() if plain.is_floating_point() else plain).numpy()
    return found


def _last(array: NDArray[Any], tensor: bool) -> NDArray[Any]:
    """With the channels last. Where both ends could be channels, those of an array are last, those of a tensor first."""
    if array.ndim == 2 and array.size:
        return array[..., None]
    if array.ndim == 3 and array.size:
        first, last = array.shape[0] in CHANNELS, array.shape[-1] in CHANNELS
        if first and (tensor or not last):
            return np.moveaxis(array, 0, -1)
        if last:
            return array
    raise ZooError(f"a picture is {TAKEN}; not {array.dtype} of shape {array.shape}")


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 as it is, floats in [0, 1] as the nearest uint8."""
    if array.dtype == np.uint8:
        return array.view(np.uint8)
    if array.dtype.kind != "f":
        raise ZooError(f"a picture of {array.dtype}: give uint8, or floats in [0, 1]")
    low, high = float(array.min()), float(array.max())
    if not (low >= -BEYOND and high <= 1 + BEYOND):  # not so for what is not a number either
        raise ZooError(f"a picture of floats from {low:g} to {high:g}: give floats in [0, 1], or uint8")
    found: NDArray[np.uint8] = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return found
