"""One `zoo predict`: sources in, a row per source out. A bad picture is a row with its reason, not the end of the job."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import image
from ..errors import ZooError
from ..visual import picture
from . import films as video
from .predictor import Predictor
from .sources import expand, shard

Tick = Callable[[str, int, int], None]


class Job:
    """What to read and where to write, settled before anything is computed."""

    def __init__(
        self,
        sources: list[str],
        out: Path | None,
        raw: str | None,
        frames: int | None,
        part: str | None = None,
        limit: int | None = None,
    ) -> None:
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
        every = list(expand(sources))
        several = len(every) > 1 or any(Path(source).is_dir() for source in sources)
        if out is None:
            out = Path("depth") if several else Path(f"{every[0].stem}-depth.png")
        elif several and out.suffix.lower() in picture.FORMATS and not out.is_dir():
            raise ZooError(f"{out}: {len(every)} pictures need a folder to be written to")
        if several or out.is_dir() or not out.suffix:
            targets = dict(zip(every, names(every, out), strict=True))
        else:
            picture.check_format(out)
            targets = {every[0]: out}
        self.work = list(shard(targets, part, limit).items())
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
