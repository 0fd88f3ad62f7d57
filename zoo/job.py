"""One `zoo predict`: sources in, a row per source out. A bad picture is a row with its reason, not the end of the job."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import image, picture, video
from .errors import ZooError
from .predict import Predictor

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm")
Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Runtime:
    """What computes: named in every result."""

    model: str
    name: str  # torch | the artifact's device


class Job:
    """What to read and where to write, settled before anything is computed."""

    def __init__(self, sources: list[str], out: Path | None, raw: str | None, frames: int | None) -> None:
        """Expand folders and globs, and choose an output for every source. Raises ZooError for contradictions."""
        if raw not in (None, *picture.RAW):
            raise ZooError(f"--raw {raw}: choose one of {', '.join(picture.RAW)}")
        self.raw, self.frames = raw, frames
        if any(video.is_video(source) for source in sources):
            if len(sources) > 1 or raw:
                raise ZooError("a video or camera goes alone, without --raw")
            source = sources[0]
            name = f"camera-{source}" if source.isdecimal() else Path(source).stem
            self.film: tuple[str, Path] | None = (source, out or Path(f"{name}-depth.mp4"))
            return
        self.film = None
        found = expand(sources)
        several = len(found) > 1 or any(Path(source).is_dir() for source in sources)
        if out is None:
            out = Path("depth") if several else Path(f"{found[0].stem}-depth.png")
        elif several and out.suffix.lower() in picture.FORMATS and not out.is_dir():
            raise ZooError(f"{out}: {len(found)} pictures need a folder to be written to")
        if several or out.is_dir() or not out.suffix:
            self.work = list(zip(found, names(found, out), strict=True))
        else:
            picture.check_format(out)
            self.work = [(found[0], out)]
        for path, target in self.work:
            if path.resolve() == target.resolve():
                raise ZooError(f"{target}: is the input; choose another place to write to")

    def run(self, predict: Predictor, tick: Tick) -> list[dict[str, Any]]:
        """Predict and write everything; a row per source, `status` "ok" or what went wrong."""
        if self.film:
            return [self._film(*self.film, predict, tick)]
        rows = []
        for i, (source, target) in enumerate(self.work):
            tick(source.name, i, len(self.work))
            try:
                rows.append(self._picture(source, target, predict))
            except ZooError as error:
                rows.append({"source": str(source), "status": str(error)})
        return rows

    def _picture(self, source: Path, target: Path, predict: Predictor) -> dict[str, Any]:
        pixels = image.read(source)
        began = time.perf_counter()
        depth = predict(pixels)
        milliseconds = (time.perf_counter() - began) * 1e3
        raw = picture.write_raw(depth, target, self.raw) if self.raw else None
        picture.write(picture.montage(pixels, depth), target)
        low, middle, high = (float(value) for value in np.percentile(depth, (0, 50, 100)))
        return {
            "source": str(source),
            "status": "ok",
            "picture": str(target),
            "raw": str(raw) if raw else None,
            "height": depth.shape[0],
            "width": depth.shape[1],
            "min_m": low,
            "median_m": middle,
            "max_m": high,
            "milliseconds": milliseconds,
        }

    def _film(self, source: str, target: Path, predict: Predictor, tick: Tick) -> dict[str, Any]:
        began = time.perf_counter()
        count = video.convert(source, target, predict, lambda done, total: tick("frames", done, total), self.frames)
        each = (time.perf_counter() - began) * 1e3 / count
        return {
            "source": source,
            "status": "ok",
            "picture": str(target),
            "raw": None,
            "frames": count,
            "milliseconds": each,
        }


def expand(sources: list[str]) -> list[Path]:
    """Files as they are, folders and globs as the pictures in them, in order of name, each once."""
    found: list[Path] = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
            if not inside:
                raise ZooError(f"{path}: no pictures in this folder ({', '.join(PICTURES)})")
            found += inside
        elif not path.exists() and glob.has_magic(source):
            matches = sorted(Path(match) for match in glob.glob(source, recursive=True))  # noqa: PTH207 (absolute patterns too)
            if not matches:
                raise ZooError(f"{source}: nothing matches")
            found += matches
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def names(sources: list[Path], folder: Path) -> list[Path]:
    """A picture in `folder` for every source, named after its stem, numbered where stems repeat."""
    taken: set[str] = set()
    chosen = []
    for source in sources:
        name, n = source.stem, 1
        while name in taken:
            n += 1
            name = f"{source.stem}-{n}"
        taken.add(name)
        chosen.append(folder / f"{name}.png")
    return chosen


def predictor(model: str, artifact: Path | None, threads: int) -> tuple[Predictor, Runtime, str | None]:
    """(predictor, what it is, a remark on its weights) from an artifact or a torch model."""
    if artifact is not None:
        from .kernels.runtime.fastdepth import ArtifactError, FastDepth

        try:
            opened = FastDepth(artifact, threads)
        except ArtifactError as error:
            raise ZooError(str(error)) from error
        made = opened.manifest["model"]
        return Predictor(opened), Runtime(made["name"], opened.manifest["device"]), remark(made["name"], made["status"])
    import torch

    from .loading import identify, load

    torch.set_num_threads(threads)
    variant, _ = identify(model)
    status = variant.weights.status if variant.weights else "released"
    return Predictor(load(model), *variant.input), Runtime(variant.name, "torch"), remark(variant.name, status)


def remark(name: str, status: str) -> str | None:
    """What to know about weights that are not released ones."""
    return (
        f"{name}: preview weights, shortly trained; good for trying out, not for measuring"
        if status == "preview"
        else None
    )
