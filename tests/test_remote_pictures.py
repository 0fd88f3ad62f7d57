"""Pictures by address: from a server of the moment that answers in every way that there is."""

import http.server
import io
import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from conftest import complaint
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.inference import remote

BUFFER = io.BytesIO()
Image.fromarray(render(3, 48, 64)[0]).save(BUFFER, "PNG")
PICTURE = BUFFER.getvalue()


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind = self.path.split("/")[1]
        moved = {"round": "/round/a.png", "once": "/good/a.png", "local": "file:///etc/passwd", "ftp": "ftp://h/a.png"}
        self.send_response(302 if kind in moved else 404 if kind == "gone" else 200)
        if kind in moved:
            self.send_header("Location", moved[kind])
        content = {"text": b"no picture", "large": bytes(3000)}.get(kind, PICTURE)
        self.send_header("Content-Length", str(len(content) + 5 * (kind == "cut")))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


@contextmanager
def fetching(address):
    with remote.fetched([address]) as (local, addresses):
        yield local, addresses


@pytest.mark.parametrize("path", ["good/a%2F..%2F..%2Fb.png?size=3", "once/a.png"])
def test_a_picture_comes_and_goes(server, path):
    with remote.fetched([f"{server}/{path}", "x.jpg"]) as (local, addresses):
        made = remote.Path(local[0])
        assert made.read_bytes() == PICTURE
        assert local[1] == "x.jpg"
        assert list(addresses) == local[:1]
        assert made.parent.name == "0"
    assert not made.exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("gone/a.png", "cannot be fetched (404 "),
        ("round/a.png", "cannot be fetched (302 "),
        ("local/a.png", "Redirection to url 'file:///etc/passwd' is not allowed"),
        ("ftp/a.png", "leads to ftp://h/a.png, which is not followed"),
        ("large/a.png", "more than 0 MiB"),
        ("cut/a.png", "5 bytes too early"),
    ],
)
def test_what_does_not_come_is_one_line(server, monkeypatch, path, words):
    monkeypatch.setattr(remote, "MOST", 2500 + len(PICTURE) * (not path.startswith("large")))
    with pytest.raises(ZooError) as refusal, fetching(f"{server}/{path}"):
        pass
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_nobody_there(server):
    with (
        pytest.raises(ZooError, match=r"http://127\.0\.0\.1:1/a\.png: cannot be fetched"),
        fetching("http://user:secret@127.0.0.1:1/a.png"),
    ):
        pass


@pytest.mark.parametrize("source", ["ftp://h/a.png", "file:///a.png", "http:/a.png", "rtsp://h/a.png", "http://h/live"])
def test_what_is_no_address_of_a_picture(source):
    assert not remote.is_picture(source)


def test_predict_takes_addresses(zoo, server, tmp_path):
    code, out, err = zoo("predict", f"{server}/good/a.png", f"{server}/text/a.png", "-o", "depth", "--json")
    rows = json.loads(out)
    assert code == 2
    assert [row["source"] for row in rows] == [f"{server}/good/a.png", f"{server}/text/a.png"]
    assert f"{server}/text/a.png: not a picture" in err
    assert (tmp_path / "depth" / "a.png").exists()
    assert zoo("predict", f"{server}/good/a.png", "-o", "d.npy")[0] == 0
    assert np.load(tmp_path / "d.npy").shape == (48, 64)
    assert (tmp_path / "d.png").exists()
    assert "only zoo predict takes addresses" in complaint(zoo("import", f"{server}/a.pth", "-o", "x"))
