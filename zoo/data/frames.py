"""Pictures with measured depth, in the layouts they come in. Each frame is loaded when asked for, and checked then.

folder    rgb/<name>.jpg (or any picture) with depth/<name>.png, 16 bit, 1000 units to the metre
.h5       a file, or a folder tree of files, with `rgb` (3, H, W) or (H, W, 3) uint8 and `depth` (H, W): FastDepth's
          preprocessed NYU, in metres
.mat      the labelled NYU Depth v2 (Silberman et al. 2012): `images` (N, 3, W, H) and `depths` (N, W, H) as HDF5 keeps
          them, in metres

Where depth is in another unit, `scale` says how many of them are a metre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ZooError
from ..files import check
from ..image import Depth, Pixels, pillow, read, suffixes
from .rooms import render

HDF5 = (".h5", ".hdf5")
MILLIMETRES, METRES = 1000.0, 1.0  # units to the metre, unless told otherwise


@dataclass(frozen=True)
class Frame:
    """One picture and its depth, 0 where unknown. `load` raises ZooError that names the file and what is wrong."""

    name: str
    load: Callable[[], tuple[Pixels, Depth]]
    scale: float = METRES  # units to the metre by which it is read


def frames(path: Path, scale: float | None = None) -> list[Frame]:
    """The frames under a path in order of their names. Raises ZooError if there are none."""
    if path.suffix.lower() == ".mat":
        return _mat(path, scale or METRES)
    if (path / "rgb").is_dir():
        return _pairs(path, scale or MILLIMETRES)
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    files = [file for file in files if file.suffix.lower() in HDF5]
    if not files:
        above = next((folder for folder in (path.parent, path.parent.parent) if (folder / "rgb").is_dir()), None)
        raise ZooError(
            f"{path}: no frames; expected rgb/ and depth/ in it, .h5 files below it, or an .h5 or .mat file"
            + (f"; perhaps {above} is meant" if above else "")
        )
    return [Frame(str(file), partial(_h5, file, scale or METRES), scale or METRES) for file in files]


def rooms(seeds: Iterable[int]) -> list[Frame]:
    """Rendered rooms with exact depth, 480x640."""
    return [Frame(f"room {seed}", partial(render, seed)) for seed in seeds]


def _pairs(folder: Path, scale: float) -> list[Frame]:
    pictures = sorted(file for file in (folder / "rgb").iterdir() if file.suffix.lower() in suffixes())
    if not pictures:
        raise ZooError(f"{folder / 'rgb'}: no pictures in it ({', '.join(sorted(suffixes()))})")
    return [
        Frame(str(picture), partial(_pair, picture, folder / "depth" / f"{picture.stem}.png", scale), scale)
        for picture in pictures
    ]


def _pair(picture: Path, depth: Path, scale: float) -> tuple[Pixels, Depth]:
    pixels = read(picture)
    if not depth.exists():
        raise ZooError(f"{depth}: no such file, so {picture.name} has no depth")
    with pillow(depth) as file:
        values = np.asarray(file)
    if values.ndim != 2 or values.dtype == np.uint8:
        raise ZooError(f"{depth}: expected one channel of 16 bits, got {values.dtype} {values.shape}")
    return _checked(str(depth), pixels, values, scale)


def _h5(path: Path, scale: float) -> tuple[Pixels, Depth]:
    with _open(path, "rgb", "depth") as (rgb, depth):
        pixels = rgb[()]
        if pixels.shape[:1] == (3,) and pixels.shape[1:] == depth.shape:
            pixels = np.ascontiguousarray(pixels.transpose(1, 2, 0))
        return _checked(str(path), pixels, depth[()], scale)


def _mat(path: Path, scale: float) -> list[Frame]:
    def load(index: int) -> tuple[Pixels, Depth]:
        with _open(path, "images", "depths") as (images, depths):
            pixels = np.ascontiguousarray(images[index].transpose(2, 1, 0))
            return _checked(f"{path}[{index}]", pixels, depths[index].T, scale)

    with _open(path, "images", "depths") as (images, _):
        return [Frame(f"{path}[{i}]", partial(load, i), scale) for i in range(len(images))]


@contextmanager
def _open(path: Path, *names: str) -> Iterator[tuple[Any, ...]]:
    try:
        import h5py
    except ImportError as error:
        raise ZooError(f"{path}: reading it needs h5py: pip install 'fastdepth-zoo[train]'") from error
    check(path)
    try:
        with h5py.File(path) as file:
            yield tuple(_inside(file, name) for name in names)
    except (OSError, KeyError, ValueError) as error:
        raise ZooError(f"{path}: not a file with {' and '.join(names)} ({error})") from error


def _inside(file: Any, name: str) -> Any:
    """A dataset that lies in the file itself: HDF5 would open whatever files a dataset names."""
    import h5py

    if file.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"{name} is a link")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise ValueError(f"{name} is no dataset of its own")
    return found


def _checked(name: str, pixels: Pixels, values: NDArray[Any], scale: float) -> tuple[Pixels, Depth]:
    """The frame, its depth in metres."""
    if values.dtype.kind not in "uif":
        raise ZooError(f"{name}: expected depth as numbers, got {values.dtype}")
    depth = values.astype(np.float32) / np.float32(scale)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ZooError(f"{name}: expected an RGB picture of 8 bits, got {pixels.dtype} {pixels.shape}")
    if pixels.shape[:2] != depth.shape:
        raise ZooError(f"{name}: picture {pixels.shape[:2]} and depth {depth.shape} differ in size")
    depth = np.where(np.isfinite(depth), depth, np.float32(0))
    if not (depth > 0).any():
        raise ZooError(f"{name}: its depth is 0 everywhere")
    return pixels, depth
