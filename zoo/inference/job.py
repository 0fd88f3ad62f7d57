"""One `zoo predict`: sources in, a row per source out. A bad picture is a row with its reason, not the end of the job."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import image
from ..camera.intrinsics import Camera
from ..camera.lens import Lens
from ..errors import ZooError
from ..files import write_atomic
from ..outputs import claim, mark, marked, vouched
from ..visual import picture, span
from . import animation, capture, films
from .predictor import Predictor
from .raw_film import RawFilm
from .sources import DEPTHS, expand, shard

COMMAND = "predict"
OnProgress = Callable[[str, int, int], None]


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
        recursive: bool = False,
        bits: int | None = None,
        *,
        near: float | None = None,
        far: float | None = None,
        lens: Lens | None = None,
        animated: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Expand folders and globs, and choose an output for every source. Raises ZooError for contradictions, and where
        something of the user's would be overwritten. `animated`: the source is a picture that holds several."""
        moving = animated or any(capture.is_video(source) for source in sources)
        if out is not None and out.suffix.lower() == ".npy":  # with the picture or film beside it, that vouches for it
            if raw not in (None, "npy"):
                raise ZooError(f"{out}: --raw {raw} writes no .npy; name the picture or film with -o")
            out, raw = out.with_suffix(".mp4" if moving else ".png"), "npy"
        if raw not in (None, *picture.RAW):
            raise ZooError(f"--raw {raw}: choose one of {', '.join(picture.RAW)}")
        self.raw, self.frames, self.bits, self.range = raw, frames, bits, span.check(near, far)
        self.lens = lens or Lens()
        self.animated = animated and not any(capture.is_video(source) for source in sources)
        if moving:
            if len(sources) > 1:
                raise ZooError("a video, stream or camera goes alone, and so does a picture with --frames all")
            source = sources[0]
            self.film: tuple[str, Path] | None = (source, out or Path(f"{capture.stem(source)}-depth.mp4"))
            self.bare = RawFilm(self.film[1], raw, COMMAND) if raw else None
            bare = self.bare.targets() if self.bare else []
            claim([(self.film[1], marked(COMMAND)), *bare], [Path(source)], overwrite=overwrite)
            return
        self.film = None
        every = list(expand(sources, recursive, out or DEPTHS))
        several = len(every) > 1 or any(Path(source).is_dir() for source in sources)
        if out is None:
            out = DEPTHS if several else Path(f"{every[0].stem}-depth.png")
        elif several and out.suffix.lower() in picture.FORMATS and not out.is_dir():
            raise ZooError(f"{out}: {len(every)} pictures need a folder to be written to")
        if several or out.is_dir() or not out.suffix:
            targets = dict(zip(every, names(every, out, raw), strict=True))
        else:
            picture.check_format(out)
            targets = {every[0]: out}
        self.work = list(shard(targets, part, limit).items())
        written = [(target, marked(COMMAND)) for _, target in self.work]
        if raw:
            written += [
                (target.with_suffix(picture.RAW[raw]), vouched(COMMAND, target) if raw == "npy" else marked(COMMAND))
                for _, target in self.work
            ]
        claim(written, every, overwrite=overwrite)

    def run(self, predict: Predictor, on_progress: OnProgress) -> list[dict[str, Any]]:
        """Predict and write everything; a row per source, `status` "ok" or what went wrong."""
        if self.film:
            return [self._film(*self.film, predict, on_progress)]
        rows = []
        for i, (source, target) in enumerate(self.work):
            on_progress(source.name, i, len(self.work))
            try:
                rows.append(self._picture(source, target, predict))
            except ZooError as error:
                rows.append({"source": str(source), "status": str(error)})
        return rows

    def _picture(self, source: Path, target: Path, predict: Predictor) -> dict[str, Any]:
        pixels, remarks = image.read_with_remarks(source, bits=self.bits)
        camera = self.lens.camera(pixels.shape[1], pixels.shape[0], image.exif(source))
        began = time.perf_counter()
        depth = predict.depth(pixels, camera)
        milliseconds = (time.perf_counter() - began) * 1e3
        software, bare = mark(COMMAND), target.with_suffix(picture.RAW[self.raw]) if self.raw else None
        content = picture.raw(depth, self.raw, software) if self.raw else b""
        if self.raw == "npy":  # first the picture that vouches for it
            software += f", depth sha256 {hashlib.sha256(content).hexdigest()}"
        picture.write(picture.montage(pixels, depth, self.range), target, software)
        if bare:
            write_atomic(bare, content)
        low, middle, high = (float(value) for value in np.percentile(depth, (0, 50, 100)))
        return {
            "source": str(source),
            "status": "ok",
            "picture": str(target),
            "raw": str(bare) if bare else None,
            "height": depth.shape[0],
            "width": depth.shape[1],
            "min_m": low,
            "median_m": middle,
            "max_m": high,
            "milliseconds": milliseconds,
            "camera": camera.facts(),
            "remarks": remarks,
        }

    def _film(self, source: str, target: Path, predict: Predictor, on_progress: OnProgress) -> dict[str, Any]:
        began, inside = time.perf_counter(), 0.0
        camera: Camera | None = None

        def timed(frame: image.Pixels) -> image.Depth:
            nonlocal camera, inside
            start = time.perf_counter()
            camera = self.lens.camera(frame.shape[1], frame.shape[0])
            depth = predict.depth(frame, camera)
            inside += time.perf_counter() - start
            return depth

        reel = animation.frames(Path(source), self.bits) if self.animated else capture.frames(source)
        count = films.convert(
            source,
            reel,
            target,
            timed,
            lambda done, total: on_progress("frames", done, total),
            self.frames,
            mark(COMMAND),
            self.range,
            self.bare,
        )
        whole = time.perf_counter() - began
        return {
            "source": source if source.isdecimal() else capture.name(source),
            "status": "ok",
            "picture": str(target),
            "raw": str(self.bare.folder) if self.bare else None,
            "stack": str(self.bare.stack) if self.bare else None,
            "frames": count,
            "milliseconds": inside * 1e3 / count,
            "frame_milliseconds": whole * 1e3 / count,  # with decoding, drawing and encoding
            "camera": camera.facts() if camera else None,
        }


def names(sources: list[Path], folder: Path, raw: str | None = None) -> list[Path]:
    """A picture in `folder` for every source: x.jpg as x.png; where several have that stem, in any case, or a bare depth would
    be another's picture, with its suffix, x.jpg.png; numbered where whole names repeat."""
    suffixes = (".png", picture.RAW[raw]) if raw else (".png",)
    rivals: dict[str, set[str]] = {}
    for source in sources:
        for suffix in suffixes:
            rivals.setdefault(f"{source.stem}{suffix}".casefold(), set()).add(source.name.casefold())
    taken: set[str] = set()
    chosen = []
    for source in sources:
        alone = all(len(rivals[f"{source.stem}{suffix}".casefold()]) == 1 for suffix in suffixes)
        name, n = first, _ = source.stem if alone else source.name, 1
        while not taken.isdisjoint(files := [f"{name}{suffix}".casefold() for suffix in suffixes]):
            n += 1
            name = f"{first}-{n}"
        taken.update(files)
        chosen.append(folder / f"{name}.png")
    return chosen
