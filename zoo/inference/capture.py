"""Where the frames of a film come from: a file, a stream, a camera. Through OpenCV (extra `video`) and its FFmpeg.

What is a film is asked of that library, for all that is not a picture. It may open the formats of films alone: FFmpeg knows
far more, some of which lead to other files, and it draws texts as pictures. From a file it is led nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from .. import image
from ..errors import ZooError
from ..files import check
from ..image import Pixels

VIDEO4LINUX = 81  # the major number of its devices
NAMED = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".3gp", ".flv")
STREAM = re.compile(r"(rtsps?|rtmps?|https?|udp|rtp|srt|tcp)://[^/]", re.IGNORECASE)
FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,vc1,obu,ivf,asf,flv,live_flv,ogg,mxf,dv,rm,nut,wtv"
)
FORMATS += ",mjpeg,yuv4mpegpipe"
STREAMED = "rtsp,sdp,rtp,hls,dash,mpjpeg,aac,mp3,ac3,eac3,webvtt"
NETWORK = "rtsp,rtsps,rtmp,rtmps,rtmpt,http,https,httpproxy,tcp,tls,udp,rtp,srt,crypto,data"
OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"  # the one way to hand FFmpeg these
PATIENCE = 10_000  # milliseconds that a stream may take to open, or to send its next frame
RETRIES, PAUSE = 5, 0.5  # to connect again; seconds before the first, doubled for each
HELD = 60.0  # seconds of a connection after which the retries count anew


def is_camera(source: str) -> bool:
    """Whether a source names a camera: by its index, or by the device that Linux gives it, such as /dev/video0."""
    if source.isdecimal():
        return True
    try:
        found = os.stat(source)  # noqa: PTH116 (an argument may be longer than any path)
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) == VIDEO4LINUX


def is_stream(source: str) -> bool:
    """Whether a source is the address of a stream, such as rtsp://host/camera."""
    return STREAM.match(source) is not None


def is_video(source: str) -> bool:
    """Whether a source is a camera, a stream, or a file that is no picture and that the library opens as a film. What is
    called like a film is taken for one, so that it is told as a film what is wrong with it."""
    if is_camera(source) or is_stream(source):
        return True
    path = Path(source)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return path.suffix.lower() in NAMED
    if stat.S_ISDIR(mode) or path.suffix.lower() == ".txt":  # of pictures
        return False
    if path.suffix.lower() in NAMED:
        return True
    return stat.S_ISREG(mode) and not _is_picture(path) and _is_film(path)


def _is_picture(path: Path) -> bool:
    try:
        with image.pillow(path) as file:  # TGA has no mark of its own, so other files look like it
            return file.format != "TGA" or path.suffix.lower() in image.suffixes()
    except ZooError:
        return False


def _is_film(path: Path) -> bool:
    try:
        capture = _open(opencv(), str(path))
    except ZooError:
        return False
    opened: bool = capture.isOpened() and capture.grab()
    capture.release()
    return opened


def name(source: str) -> str:
    """What to call a source: without the password that the address of a stream may have."""
    if not is_stream(source):
        return f"camera {source}" if source.isdecimal() else source
    parts = urlsplit(source)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def stem(source: str) -> str:
    """The beginning of the name of what is made of a source."""
    if source.isdecimal():
        return f"camera-{source}"
    if is_stream(source):
        parts = urlsplit(source)
        return Path(parts.path).stem or (parts.hostname or "stream")
    return Path(source).stem


def opencv() -> Any:
    """OpenCV, which has to be silent. Raises ZooError where it is not installed."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what goes wrong is said once, by us
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2
    except ImportError as error:
        raise ZooError("video needs OpenCV: pip install 'fastdepth-zoo[video]'") from error
    return cv2


@contextlib.contextmanager
def _options(words: str) -> Iterator[None]:
    before = os.environ.get(OPTIONS)
    os.environ[OPTIONS] = words
    try:
        yield
    finally:
        del os.environ[OPTIONS]
        if before is not None:
            os.environ[OPTIONS] = before


def _open(cv2: Any, source: str) -> Any:
    """A capture, open or not."""
    if source.isdecimal():
        return cv2.VideoCapture(int(source))
    if is_camera(source):
        return cv2.VideoCapture(source, cv2.CAP_V4L2)
    if is_stream(source):
        patience = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, PATIENCE, cv2.CAP_PROP_READ_TIMEOUT_MSEC, PATIENCE]
        words = f"rtsp_flags;prefer_tcp|protocol_whitelist;{NETWORK}|format_whitelist;{FORMATS},{STREAMED}"
        with _options(os.environ.get(OPTIONS, words)):
            return cv2.VideoCapture(source, cv2.CAP_FFMPEG, patience)
    address = b"file:" + os.fsencode(Path(source).absolute())  # whatever the name, it is a file's; bytes may be any
    with _options(f"protocol_whitelist;file|format_whitelist;{FORMATS}"):
        return cv2.VideoCapture(address, cv2.CAP_FFMPEG)


def frames(source: str) -> tuple[float, int, Generator[Pixels]]:
    """(frames per second, number of frames or 0 if unknown, the frames) of a film's file, a stream or a camera.

    A file gives every frame. A camera, or a stream without an end, gives the latest, and passes over those that came while
    the one before was worked on; a stream that breaks off is connected to again, a bounded number of times.
    """
    cv2 = opencv()
    stream, camera = is_stream(source), is_camera(source)
    if not (stream or camera):
        if not Path(source).exists():
            raise ZooError(f"{source}: no such file")
        check(Path(source))
    capture = _open(cv2, source)
    if not capture.isOpened():
        raise ZooError(f"{name(source)}: cannot be opened as video")
    rate, total = capture.get(cv2.CAP_PROP_FPS), max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    if not 0 < rate <= 1000:  # not known, or the clock of a format that has no rate
        rate = 30.0
    if camera or (stream and not total):
        again: Callable[[], Any] | None = (lambda: _open(cv2, source)) if stream else None
        return rate, 0, Live(capture, again).frames()
    return rate, total, _all(capture)


def _all(capture: Any) -> Generator[Pixels]:
    try:
        while (read := capture.read())[0]:
            yield _rgb(read[1])
    finally:
        capture.release()


def _rgb(frame: Any) -> Pixels:
    found: Pixels = np.ascontiguousarray(frame[..., ::-1])
    return found


class Live:
    """A capture read by a thread of its own as fast as it comes, so that whoever asks has the latest frame."""

    def __init__(self, capture: Any, again: Callable[[], Any] | None) -> None:
        """`again` opens the capture anew where it has broken off."""
        self.capture, self.again = capture, again
        self.changed, self.latest, self.over = threading.Condition(), None, False
        self.stop = threading.Event()

    def frames(self) -> Generator[Pixels]:
        """The latest frame each time, until the end."""
        thread = threading.Thread(
            target=self._read, daemon=True
        )  # one that the network holds up holds up nobody's exit
        thread.start()
        try:
            while True:
                with self.changed:
                    while self.latest is None and not self.over:
                        self.changed.wait()
                    frame, self.latest = self.latest, None
                if frame is None:
                    return
                yield _rgb(frame)
        finally:
            self.stop.set()
            thread.join(1)

    def _read(self) -> None:
        try:
            for frame in self._connected():
                with self.changed:
                    self.latest = frame
                    self.changed.notify()
        finally:
            self.capture.release()
            with self.changed:
                self.over = True
                self.changed.notify()

    def _connected(self) -> Generator[Any]:
        tries, since = 0, time.monotonic()
        while not self.stop.is_set():
            ok, frame = self.capture.read()
            if ok:
                yield frame
                continue
            if time.monotonic() - since > HELD:
                tries = 0
            if self.again is None or tries == RETRIES or self.stop.wait(PAUSE * 2**tries):
                return
            tries += 1
            self.capture.release()
            self.capture, since = self.again(), time.monotonic()
