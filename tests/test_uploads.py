"""The page's files: bounded, private, and gone whichever way the process ends; and what the page keeps in memory."""

import contextlib
import io
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
from zoo.demo import uploads
from zoo.demo.uploads import Uploads
from zoo.errors import ZooError

NETWORK = "fastdepth_pruned, torch"


def kept(root):
    return [path for path in root.rglob("*") if path.is_file()]


def taken(root):
    return sum(path.stat().st_size for path in kept(root))


@contextlib.contextmanager
def served(folder):
    """The page, with `folder` for its temporary files: its process, and a client."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    command = [sys.executable, "-m", "zoo", "demo", "-m", "fastdepth_pruned", "--port", port]
    environment = os.environ | {"TMPDIR": str(folder)}
    with (
        (folder.parent / "said").open("w") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment, umask=0o022) as page,
    ):
        address = page.stdout.readline().split()[0]
        try:
            with httpx.Client(base_url=address, timeout=120, trust_env=False) as web:
                yield page, web
        finally:
            page.kill()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "temporary"
    made.mkdir()
    return made


def encoded(pixels, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def upload(web, content):
    return web.post("gradio_api/upload", files={"files": ("photo.png", content)})


def depth(web, content, session=None):
    data = [{"path": upload(web, content).json()[0]}, NETWORK, 60]
    asked = web.post("gradio_api/call/depth", json={"data": data, "session_hash": session}).json()["event_id"]
    said = web.get(f"gradio_api/call/depth/{asked}").text
    assert "event: complete" in said, said


def memory(page):
    line = next(line for line in Path(f"/proc/{page.pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_no_more_is_kept_than_it_may_and_the_longest_unused_goes_first():
    folder = Uploads(most=10 * uploads.BLOCK)
    lasting = folder.lasting / "room.jpg"
    lasting.write_bytes(bytes(20 * uploads.BLOCK))
    paths = []
    for i in range(30):
        paths.append(folder.add("a.png", io.BytesIO(bytes([i]) * 2 * uploads.BLOCK)))
        for age, path in enumerate(reversed(paths)):
            with contextlib.suppress(FileNotFoundError):
                for each in (path, path.parent):
                    os.utime(each, (time.time() - age,) * 2)
        folder.find(str(paths[0]))  # in use
        assert taken(folder.root) <= 20 * uploads.BLOCK + 14 * uploads.BLOCK
    assert folder.has(str(paths[0]))
    assert folder.has(str(paths[-1]))
    assert folder.has(str(lasting))
    assert not folder.has(str(paths[1]))
    with pytest.raises(ZooError, match="no longer kept"):
        folder.find(str(paths[1]))
    folder.cleanup()


def test_what_was_not_used_for_an_hour_goes():
    folder = Uploads()
    old, new = folder.add("a.png", io.BytesIO(b"a")), folder.add("a.png", io.BytesIO(b"a"))
    for each in (old, old.parent):
        os.utime(each, (time.time() - uploads.KEPT - 1,) * 2)
    folder.tidy()
    assert (folder.has(str(old)), folder.has(str(new))) == (False, True)
    folder.cleanup()


def test_many_small_files_are_bounded_too(monkeypatch):
    monkeypatch.setattr(uploads, "MOST_FOLDERS", 20)
    folder = Uploads()
    for _ in range(60):
        folder.add("", io.BytesIO(b""))
    assert len(kept(folder.root)) <= 20
    folder.cleanup()


def test_a_folder_is_private_whatever_the_umask():
    before = os.umask(0)
    try:
        folder = Uploads()
        path = folder.add("photo.png", io.BytesIO(b"a"))
        modes = [stat.S_IMODE(each.stat().st_mode) for each in (folder.root, path.parent, path)]
        assert modes == [0o700, 0o700, 0o600]
        folder.cleanup()
    finally:
        os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_what_a_killed_page_left_goes_with_the_next_and_a_running_ones_stays(monkeypatch, folder):
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    running = Uploads()
    left, fresh, foreign = (folder / name for name in (f"{uploads.PREFIX}left", f"{uploads.PREFIX}new", "another"))
    for each in (left, fresh, foreign):
        each.mkdir()
        (each / "photo.png").touch()
    (folder / f"{uploads.PREFIX}link").symlink_to(foreign)
    for each in (running.root, left, foreign):
        os.utime(each, (time.time() - 2 * uploads.ABANDONED,) * 2)
    Uploads().cleanup()
    assert running.root.exists()
    assert fresh.exists()  # another may be about to hold it
    assert (foreign / "photo.png").exists()
    assert not left.exists()
    running.cleanup()


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_nothing_is_left_at_any_end(folder, end):
    room = encoded(np.zeros((48, 64, 3), np.uint8))
    with served(folder) as (page, web):
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda i: upload(web, room), range(20)):
                pass
        depth(web, room)
        (root,) = folder.glob(f"{uploads.PREFIX}*")
        assert len(kept(root)) >= 20
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept(root)} == {0o600}
        assert {stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")] if path.is_dir()} == {0o700}
        with web.stream("GET", "gradio_api/heartbeat/open"):  # as every open page has it
            page.send_signal(getattr(signal, end))
            code = page.wait(timeout=60)
    assert code == {"SIGTERM": 143, "SIGINT": 0, "SIGHUP": 143}[end]
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert not root.exists()
    assert (folder.parent / "said").read_text() == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_memory_and_disk_do_not_grow_with_sessions(folder):
    """Large pictures from sessions of their own, whose depths once stayed in memory, 2 bytes a pixel; and many small ones."""
    large = encoded(np.zeros((2000, 2500, 3), np.uint8))
    small = encoded(np.full((48, 64, 3), 99, np.uint8))
    with served(folder) as (page, web), ThreadPoolExecutor(8) as pool:
        for i in range(3):
            depth(web, large, f"first-{i}")
        for _ in pool.map(lambda i: depth(web, small, f"small-{i}"), range(50)):
            pass
        sizes = [memory(page)]
        for batch in range(3):  # what is kept grows with every batch; what the allocator holds back settles
            for i in range(6):
                depth(web, large, f"large-{batch}-{i}")
            sizes.append(memory(page))
        assert min(after - before for before, after in pairwise(sizes)) < 6 * (2 * 2000 * 2500) / 2
        (root,) = folder.glob(f"{uploads.PREFIX}*")
        assert taken(root) < uploads.MOST


def test_an_upload_is_bounded_and_leaves_nothing_when_refused_or_broken_off(folder):
    with served(folder) as (page, web):
        (root,) = folder.glob(f"{uploads.PREFIX}*")
        before = len(kept(root))
        assert upload(web, bytes(21 * 2**20)).status_code == 413
        assert upload(web, bytes(150 * 2**20)).status_code == 413
        many = [("files", (f"{i}.png", b"small")) for i in range(15)]
        assert web.post("gradio_api/upload", files=many).status_code == 400
        boundary = {"Content-Type": "multipart/form-data; boundary=x"}

        def endless():
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
            while True:
                yield bytes(2**20)

        with contextlib.suppress(httpx.TransportError):  # it may close the connection while we are at it
            assert web.post("gradio_api/upload", content=endless(), headers=boundary).status_code == 413

        with socket.create_connection((web.base_url.host, web.base_url.port)) as line:
            line.sendall(
                b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + next(endless()) + bytes(2**21)
            )
        for wrong in ({"files": "text"}, {"other": "text"}, None):
            assert web.post("gradio_api/upload", data=wrong).status_code == 400
        assert upload(web, b"still there").status_code == 200
        assert len(kept(root)) == before + 1
        assert len(kept(folder)) == before + 1
        page.terminate()
        page.wait(timeout=60)
    assert (folder.parent / "said").read_text() == ""
