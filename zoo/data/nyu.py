"""NYU Depth v2 (Silberman et al. 2012) as a folder of pairs: rgb/<index>.jpg and depth/<index>.png (16-bit millimetres)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ZooError
from ..image import read

VALIDATION = 80  # the last frames by index: other scenes than the rest


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """(picture, depth) paths by index. A picture without its depth is an error that names it."""
    pictures = sorted((folder / "rgb").glob("*.jpg"))
    if not pictures:
        raise ZooError(f"{folder}: no pictures in rgb/*.jpg; expected rgb/<index>.jpg and depth/<index>.png")
    found = [(picture, folder / "depth" / f"{picture.stem}.png") for picture in pictures]
    missing = [depth for _, depth in found if not depth.is_file()]
    if missing:
        raise ZooError(f"{missing[0]}: no such file ({len(missing)} of {len(found)} pictures lack their depth)")
    return found


def load(pair: tuple[Path, Path]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(H, W, 3) RGB and (H, W) metres, 0 where unknown."""
    picture, depth = pair
    return read(picture), np.asarray(Image.open(depth), np.float32) / np.float32(1000)
