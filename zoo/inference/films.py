"""Moving pictures: frames of a film, a stream or a camera in, a montage per frame out. Through OpenCV (extra `video`)."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np

from ..errors import ZooError
from ..files import replacing
from ..image import Depth, Pixels
from ..visual import picture
from ..visual.span import Span
from .capture import name, opencv
from .quiet import silence
from .raw_film import RawFilm

# Browsers play WebM alone: OpenCV's wheel has no encoder for H.264, and its VP8 takes six times as long as MPEG-4
CODES = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP80"}


def convert(
    source: str,
    reel: tuple[float, int, Generator[Pixels]],
    out: Path,
    predict: Callable[[Pixels], Depth],
    on_progress: Callable[[int, int], None],
    most: int | None,
    software: str = "",
    limit: tuple[float, float] | None = None,
    raw: RawFilm | None = None,
) -> int:
    """Write the montage of every frame of `reel` (of the first `most`) to a video file; the number of frames written.
    `reel`: (frames per second, how many or 0 if unknown, the frames) of `source`. `software` is left in it as the name of its
    maker; `raw` takes the bare depth.

    The legend's range is `limit`, (near, far) in metres, or follows the film: smoothly within a shot, anew at a cut.
    An interrupt (Ctrl-C, how a camera or a stream is stopped) ends the film there and keeps it.
    """
    if out.suffix.lower() not in CODES:
        raise ZooError(f"{out}: cannot write this kind of video; use {', '.join(CODES)}")
    cv2 = opencv()
    rate, total, stream = reel
    writer, span, count = None, Span(rate), 0
    shape: tuple[int, ...] = ()
    with (
        contextlib.closing(stream),
        replacing(out, out.suffix) as partial,
        raw.writing() if raw else contextlib.nullcontext(),
    ):
        with contextlib.suppress(KeyboardInterrupt):
            for frame in itertools.islice(stream, most):
                if frame.shape != shape and shape:  # a stream may change its size, a film may not
                    frame = cv2.resize(frame, shape[1::-1], interpolation=cv2.INTER_AREA)
                shape = frame.shape
                depth = predict(frame)
                shown = picture.montage(frame, depth, limit or span(frame, depth))
                height, width = (side // 2 * 2 for side in shown.shape[:2])  # encoders want even sides
                if writer is None:
                    code = cv2.VideoWriter_fourcc(*CODES[out.suffix.lower()])
                    with silence():  # OpenCV remarks that WebM has no tag for VP8, and goes on
                        writer = cv2.VideoWriter(os.fsencode(partial.absolute()), code, rate, (width, height))
                    if not writer.isOpened():
                        raise ZooError(f"{out}: cannot be written as video")
                writer.write(np.ascontiguousarray(shown[:height, :width, ::-1]))
                if raw:
                    raw.add(depth)
                count += 1
                on_progress(count, most or total)
        if writer is None:
            raise ZooError(f"{name(source)}: no frame could be read")
        writer.release()
        _sign(partial, software)
    return count


def _sign(path: Path, software: str) -> None:
    """Leave words at the end of a film, as what its format has for bytes that players pass over."""
    words = software.encode() + b"\0" * (len(software) % 2)
    with path.open("ab") as file:
        if path.suffix.lower() == ".avi":
            file.write(b"JUNK" + len(words).to_bytes(4, "little") + words)
        elif path.suffix.lower() == ".webm":  # EBML's Void element; its length in 8 bytes
            file.write(b"\xec\x01" + len(words).to_bytes(7, "big") + words)
        else:
            file.write((8 + len(words)).to_bytes(4, "big") + b"free" + words)
