"""Films: what range their colours have, what is taken for one, and the bare depth of their frames."""

import contextlib
import http.server
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from conftest import complaint
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.inference import capture, films
from zoo.inference.job import Job
from zoo.inference.raw_film import RawFilm
from zoo.visual.span import Span, check

RATE = 10
ROOM, _ = render(3, 48, 64)


def film(source):
    """(its name, its frames)"""
    return str(source), capture.frames(str(source))


def scene(near, far, picture=ROOM, noise=0.0, seed=0):
    """(picture, depth): depths from near to far, as the network would give them for that picture."""
    depth = np.linspace(near, far, 48 * 64, dtype=np.float32).reshape(48, 64)
    noise = np.random.default_rng(seed).normal(1, noise, depth.shape)
    return picture, (depth * noise).astype(np.float32)


def ends(near, far):
    return tuple(np.percentile(scene(near, far)[1], (2, 98)))


def test_the_range_follows_a_fade_from_black():
    """Black has its own little range; when the room is there, so is the room's."""
    span, before = Span(RATE), None
    for i in range(4 * RATE):
        light = min(1.0, i / (2 * RATE))
        found = span(*scene(1 + light, 1.8 + 5 * light, (ROOM * light).astype(np.uint8)))
        if i > RATE:  # no jumps on the way
            assert np.abs(np.subtract(found, before)).max() < 0.5
        before = found
    near, far = ends(2, 6.8)
    assert found == pytest.approx((near, far), abs=0.06 * (far - near))


@pytest.mark.parametrize("then", [scene(5, 12), scene(0.4, 1), scene(1, 3, 255 - ROOM)])
def test_a_cut_begins_anew(then):
    """Of the scene's range, or of the picture alone: then the range is that frame's, at once."""
    span = Span(RATE)
    for _ in range(RATE):
        first = span(*scene(1, 4))
    assert first == pytest.approx(ends(1, 4))
    assert span(*then) == pytest.approx(tuple(np.percentile(then[1], (2, 98))))


@pytest.mark.parametrize(("near", "far"), [(1, 4), (3, 3.01)])
def test_the_range_of_a_still_shot_does_not_wander(near, far):
    span, noise = Span(RATE), np.random.default_rng(1)
    found = set()
    for i in range(5 * RATE):
        picture = np.clip(ROOM + noise.normal(0, 4, ROOM.shape), 0, 255).astype(np.uint8)
        found.add(span(*scene(near, far, picture, 0.01, seed=i)))
    assert len(found) == 1


def test_the_range_follows_smoothly_within_a_shot():
    span, found = Span(RATE), []
    for i in range(8 * RATE):
        found.append(span(*scene(1, 3 + 0.05 * i)))
    steps = np.diff([far for _, far in found])
    assert (steps >= 0).all()
    assert steps.max() < 0.06
    assert found[-1][1] == pytest.approx(ends(1, 3 + 0.05 * i)[1], abs=0.8)


def test_a_range_that_is_none():
    assert check(None, None) is None
    assert check(0.5, 4) == (0.5, 4)
    for near, far in ((1, None), (None, 1), (3, 2), (2, 2), (-1, 2), (float("nan"), 2), (0, float("inf"))):
        with pytest.raises(ZooError, match="--near"):
            check(near, far)


def write(path, frames, code="MJPG", size=(64, 48)):
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), RATE, size)
    assert writer.isOpened(), path
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def watch(path):
    """All frames of a film, RGB."""
    cv2 = pytest.importorskip("cv2")
    capture, found = cv2.VideoCapture(os.fsencode(path), cv2.CAP_FFMPEG), []
    while (frame := capture.read()) and frame[0]:
        found.append(frame[1][..., ::-1])
    return found


def test_colours_of_a_film_that_fades_in(tmp_path):
    """Depths that grow with the light: at the end all colours are in use, near and far, as in a picture."""
    fading = [(ROOM * min(1.0, i / 15)).astype(np.uint8) for i in range(40)]
    write(tmp_path / "fade.avi", fading)

    def predict(frame):
        return scene(1, 1.5 + 6 * frame.mean() / ROOM.mean())[1]

    films.convert(*film(tmp_path / "fade.avi"), tmp_path / "d.avi", predict, lambda *_: None, None)
    last = watch(tmp_path / "d.avi")[-1][64:112, 80:144].astype(int)  # the depth's tile
    assert last[:4].mean() > 170  # light: near
    assert last[-4:].mean() < 70  # dark: far


def test_a_range_that_is_asked_for(zoo, tmp_path):
    write(tmp_path / "film.avi", [ROOM] * 2)
    code, _, err = zoo("predict", "film.avi", "-o", "d.mp4", "--near", "0.5", "--far", "4")
    assert code == 0, err
    assert "--near and --far go together" in complaint(zoo("predict", "film.avi", "-o", "e.mp4", "--near", "1"))
    assert "--far 1: give metres" in complaint(zoo("predict", "a.png", "-o", "e.png", "--near", "2", "--far", "1"))
    many = zoo("predict", "a.png", "-o", "e", "--engine", "process", "--near", "1", "--far", "2")
    assert "do not go with it" in complaint(many)
    seen = []
    films.convert(
        *film(tmp_path / "film.avi"),
        tmp_path / "f.avi",
        lambda frame: seen.append(frame) or np.full(frame.shape[:2], 1 + 2 * len(seen), np.float32),
        lambda *_: None,
        None,
        limit=(1.0, 5.0),
    )
    tiles = [frame[70:100, 90:130].astype(int).mean((0, 1)) for frame in watch(tmp_path / "f.avi")]
    assert np.abs(tiles[0] - (203, 63, 88)).max() < 20  # 3 m, the middle of the colours
    assert np.abs(tiles[1] - (14, 10, 46)).max() < 20  # 5 m, the last


@pytest.mark.parametrize(
    ("suffix", "code"),
    [
        *((".ts", "mp4v"), (".wmv", "WMV2"), (".3gp", "mp4v"), (".mpg", "mp1v"), (".mkv", "mp4v"), (".m4v", "mp4v")),
        *((".mov", "mp4v"), (".webm", "VP80"), (".flv", "FLV1"), (".ogv", "theo"), ("", "mp4v"), (".dat", "MJPG")),
    ],
)
def test_whatever_the_library_opens_is_a_film(tmp_path, suffix, code):
    cv2 = pytest.importorskip("cv2")
    path, kind = tmp_path / f"film{suffix}", suffix if suffix not in ("", ".dat") else ".avi"
    made, fourcc = tmp_path / f"made{kind}", cv2.VideoWriter_fourcc(*code)
    writer = cv2.VideoWriter(str(made), fourcc, 25, (64, 48))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV does not write {suffix}")
    for _ in range(5):
        writer.write(ROOM)
    writer.release()
    made.rename(path)
    assert capture.is_video(str(path))
    assert len(list(capture.frames(str(path))[2])) in (4, 5)  # FFmpeg's .mpg lacks the last


def test_what_is_no_film(tmp_path, monkeypatch):
    """Pictures, texts, noise, folders; and what leads the library to another file."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(ROOM).save("a.png")
    Image.fromarray(ROOM).save("picture.dat", "JPEG")
    write(tmp_path / "film.avi", [ROOM] * 3)
    (tmp_path / "folder.mp4").mkdir()
    contents = {"noise": os.urandom(9999), "letter": b"dear\n" * 99, "list.txt": b"a.png\n", "empty": b""}
    contents |= {"concat": b"ffconcat version 1.0\nfile film.avi\n", "hls": b"#EXTM3U\n#EXTINF:1,\nfilm.avi\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in ("a.png", "picture.dat", "folder.mp4", "absent", "*.png", "x" * 5000, "\0", *contents):
        assert not capture.is_video(name), name


def test_any_name_of_a_film(tmp_path):
    """One that is no UTF-8, one that is like an address, one like a pattern, and one that says nothing."""
    for name in (b"f\xe9.avi", b"http:film", b"%03d.avi", b"concat:a|b", b"[a]*.avi"):
        path = write(tmp_path / "film.avi", [ROOM] * 2).rename(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        assert capture.is_video(str(path))
        assert len(list(capture.frames(str(path))[2])) == 2
        films.convert(*film(path), path.with_suffix(".mp4"), lambda _: scene(1, 4)[1], lambda *_: None, None)
        assert len(watch(path.with_suffix(".mp4"))) == 2


@contextlib.contextmanager
def served(connections, frames=3, pause=0.02):
    """A camera of the network that sends so many frames and breaks off, so many times; (its address, [times asked])."""
    cv2 = pytest.importorskip("cv2")
    jpeg, asked = cv2.imencode(".jpg", ROOM)[1].tobytes(), []

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if len(asked) > connections:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(frames):
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
                    time.sleep(pause)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://user:secret@127.0.0.1:{server.server_port}/door", asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_stream_is_connected_to_again_but_not_forever(monkeypatch):
    monkeypatch.setattr(capture, "PAUSE", 0.001)
    for connections in (2, 99):
        with served(connections) as (address, asked):
            _, total, stream = capture.frames(address)
            assert total == 0
            assert {frame.shape for frame in stream} == {ROOM.shape}
            assert len(asked) == 1 + capture.RETRIES
    with pytest.raises(ZooError, match=r"http://127.0.0.1:\d+/door: cannot be opened as video"):
        capture.frames(address)


class Clock:
    """A capture whose frames are numbered; one is ready whenever it is asked for."""

    def __init__(self, frames):
        self.number, self.frames, self.released = 0, frames, False

    def read(self):
        time.sleep(0.001)
        self.number += 1
        return self.number <= self.frames, np.full((2, 2, 3), self.number, np.uint8)

    def release(self):
        self.released = True


def test_late_frames_are_dropped():
    camera = Clock(250)
    found = []
    for frame in capture.Live(camera, None).frames():
        found.append(int(frame[0, 0, 0]))
        held = camera.number
        while camera.number < min(held + 30, 250):  # work, while others come
            time.sleep(0.001)
    assert found == sorted(set(found))
    assert len(found) <= 250 // 30 + 2
    assert camera.released


def test_an_interrupt_ends_a_stream_and_keeps_its_film(tmp_path):
    with served(1, frames=10**6, pause=0.01) as (address, _):
        seen = []

        def predict(frame):
            seen.append(frame)
            if len(seen) == 4:
                raise KeyboardInterrupt
            return scene(1, 4)[1]

        films.convert(*film(address), tmp_path / "d.avi", predict, lambda *_: None, None)
    assert len(watch(tmp_path / "d.avi")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["d.avi"]


def raws(folder):
    return {path.name: path.read_bytes() for path in (folder / "d-frames").iterdir()}


@pytest.mark.parametrize(("kind", "suffix"), [("npy", ".npy"), ("png16", ".raw.png")])
def test_bare_depth_of_a_film(zoo, tmp_path, monkeypatch, kind, suffix):
    write(tmp_path / "film.avi", [np.roll(ROOM, 5 * i, 1) for i in range(4)])
    words = ("predict", "film.avi", "-o", "d.mp4", "--raw", kind, "--json")
    code, out, err = zoo(*words)
    assert code == 0, err
    row = json.loads(out)[0]
    assert (row["raw"], row["stack"], row["frames"]) == ("d-frames", "d.npy", 4)
    stack = np.load(tmp_path / "d.npy", mmap_mode="r")
    assert (stack.shape, stack.dtype) == ((4, 48, 64), np.float32)
    assert stack.nbytes + stack.offset == (tmp_path / "d.npy").stat().st_size
    assert set(raws(tmp_path)) == {"SHA256SUMS", *(f"{i:06}{suffix}" for i in range(4))}
    for i, depth in enumerate(stack):
        path = tmp_path / "d-frames" / f"{i:06}{suffix}"
        if kind == "npy":
            assert (np.load(path) == depth).all()
        else:
            assert np.abs(np.asarray(Image.open(path)) / 1000 - depth).max() <= 0.0005001
    check = ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path / "d-frames", check=False).returncode == 0
    (tmp_path / "d-frames" / "notes").write_text("mine")
    monkeypatch.chdir(tmp_path)
    job = Job(["film.avi"], Path("d.mp4"), kind, 2)
    job.run(
        SimpleNamespace(depth=lambda *_: scene(1, 4)[1]), lambda *_: None
    )  # again, and nothing of the longer film is left
    assert set(raws(tmp_path)) == {"SHA256SUMS", "notes", *(f"{i:06}{suffix}" for i in range(2))}
    assert np.load(tmp_path / "d.npy").shape == (2, 48, 64)
    assert {path.name for path in tmp_path.iterdir()} == {"film.avi", "d.mp4", "d.npy", "d-frames"}


def test_bare_depth_of_a_film_replaces_nothing_of_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "film.avi", [ROOM] * 2)

    def run(overwrite=False):
        job = Job(["film.avi"], Path("d.mp4"), "npy", None, overwrite=overwrite)
        job.run(SimpleNamespace(depth=lambda *_: scene(1, 4)[1]), lambda *_: None)

    (tmp_path / "d-frames").touch()
    with pytest.raises(ZooError, match="d-frames: is no folder"):
        run(overwrite=True)
    (tmp_path / "d-frames").unlink()
    (tmp_path / "d-frames").mkdir()
    for name in ("d.npy", "d-frames/000000.npy", "d-frames/000007.raw.png", "d-frames/SHA256SUMS"):
        for _ in range(2):  # also when it has taken the place of one of ours
            (tmp_path / name).write_bytes(b"years of work")
            with pytest.raises(ZooError, match=f"{name}: exists"):
                run()
            assert (tmp_path / name).read_bytes() == b"years of work"
            run(overwrite=True)
            run()


def test_bare_depth_of_a_film_is_whole_or_not_there(tmp_path):
    write(tmp_path / "film.avi", [ROOM] * 5)

    def run(error):
        given = iter(range(3))
        bare = RawFilm(tmp_path / "d.mp4", "npy", "predict")

        def predict(frame):
            if next(given, None) is None:
                raise error
            return scene(1, 4)[1]

        films.convert(*film(tmp_path / "film.avi"), tmp_path / "d.mp4", predict, lambda *_: None, None, raw=bare)

    with pytest.raises(ZooError, match="trouble"):
        run(ZooError("trouble"))
    assert [path.name for path in tmp_path.iterdir()] == ["film.avi"]
    run(KeyboardInterrupt())
    assert len(watch(tmp_path / "d.mp4")) == 3 == len(np.load(tmp_path / "d.npy"))
    assert len(raws(tmp_path)) == 3 + 1
