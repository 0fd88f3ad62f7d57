"""Moving pictures: frames of a file or a camera in, a montage per frame out. Through OpenCV (extra `video`)."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ZooError
from ..files import check, replacing
from ..image import Depth, Pixels
from ..visual import picture
from ..visual.span import Span

CODES = {".mp4": "mp4v", ".avi": "MJPG"}
VIDEO4LINUX = 81  # the major number of its devices
SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


def is_camera(source: str) -> bool:
    """Whether a source names a camera: by its index, or by the device that Linux gives it, such as /dev/video0."""
    if source.isdecimal():
        return True
    try:
        found = os.stat(source)  # noqa: PTH116 (an argument may be longer than any path)
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) == VIDEO4LINUX


def is_video(source: str) -> bool:
    """Whether a source names a video file or a camera."""
    return is_camera(source) or Path(source).suffix.lower() in SUFFIXES


def _cv2() -> Any:
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # what goes wrong is said once, by us
    try:
        import cv2
    except ImportError as error:
        raise ZooError("video needs OpenCV: pip install 'fastdepth-zoo[video]'") from error
    return cv2


def frames(source: str) -> tuple[float, int, Generator[Pixels]]:
    """(frames per second, number of frames or 0 if unknown, the frames) of a video file or camera index."""
    cv2 = _cv2()
    if not is_camera(source):
        if not Path(source).exists():
            raise ZooError(f"{source}: no such file")
        check(Path(source))
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not capture.isOpened():
        what = f"camera {source}" if source.isdecimal() else source
        raise ZooError(f"{what}: cannot be opened as video")

    def read() -> Generator[Pixels]:
        try:
            while True:
                ok, frame = capture.read()
                if not ok:
                    return
                yield np.ascontiguousarray(frame[..., ::-1])
        finally:
            capture.release()

    rate = capture.get(cv2.CAP_PROP_FPS) or 30.0
    return rate, max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))), read()


def convert(
    source: str,
    out: Path,
    predict: Callable[[Pixels], Depth],
    on_progress: Callable[[int, int], None],
    most: int | None,
    software: str = "",
    limit: tuple[float, float] | None = None,
) -> int:
    """Write the montage of every frame (of the first `most`) to a video file; the number of frames written. `software` is
    left in it as the name of its maker.

    The legend's range is `limit`, (near, far) in metres, or follows the film: smoothly within a shot, anew at a cut.
    An interrupt (Ctrl-C, how a camera is stopped) ends the film there and keeps it.
    """
    if out.suffix.lower() not in CODES:
        raise ZooError(f"{out}: cannot write this kind of video; use {' or '.join(CODES)}")
    cv2 = _cv2()
    rate, total, stream = frames(source)
    writer, span, count = None, Span(rate), 0
    with (
        contextlib.closing(stream),
        replacing(out, out.suffix) as partial,
    ):
        with contextlib.suppress(KeyboardInterrupt):
            for frame in itertools.islice(stream, most):
                depth = predict(frame)
                shown = picture.montage(frame, depth, limit or span(frame, depth))
                height, width = (side // 2 * 2 for side in shown.shape[:2])  # encoders want even sides
                if writer is None:
                    code = cv2.VideoWriter_fourcc(*CODES[out.suffix.lower()])
                    writer = cv2.VideoWriter(str(partial), code, rate, (width, height))
                    if not writer.isOpened():
                        raise ZooError(f"{out}: cannot be written as video")
                writer.write(np.ascontiguousarray(shown[:height, :width, ::-1]))
                count += 1
                on_progress(count, most or total)
        if writer is None:
            raise ZooError(f"{source}: no frame could be read")
        writer.release()
        _sign(partial, software)
    return count


def _sign(path: Path, software: str) -> None:
    """Leave words at the end of a film, as what its format has for bytes that players pass over."""
    words = software.encode() + b"\0" * (len(software) % 2)
    with path.open("ab") as file:
        if path.suffix.lower() == ".avi":
            file.write(b"JUNK" + len(words).to_bytes(4, "little") + words)
        else:
            file.write((8 + len(words)).to_bytes(4, "big") + b"free" + words)
