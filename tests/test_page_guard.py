"""What the page refuses: names it does not have, files that were not uploaded, and whatever would make it ask elsewhere."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys

import httpx
import pytest

from conftest import ROOT

pytest.importorskip("gradio")
from zoo.demo.guard import LARGEST, Guard
from zoo.demo.uploads import FOREIGN, Uploads
from zoo.errors import ZooError

NETWORK = "fastdepth_pruned, torch"
WEB = httpx.Client(timeout=60, trust_env=False, headers={"Content-Type": "application/json"})
META = {"_type": "gradio.FileData"}
# serves the page, and says on stderr whom it looks up and whom it asks
TOLD = """
import sys
def told(event, given):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        print("ASKED", event, given[1 if event == "socket.connect" else 0:], file=sys.stderr, flush=True)
sys.addaudithook(told)
from zoo.cli.app import main
main()
"""


def start(log, *words):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with log.open("w") as file:
        command = [sys.executable, "-c", TOLD, "demo", "-m", "fastdepth_pruned", "--port", str(port), *words]
        served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)
    line = served.stdout.readline()
    assert line.endswith(f":{port}/ (Ctrl-C stops it)\n"), line + log.read_text()
    return served, line.split()[0]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("page") / "stderr"


@pytest.fixture(scope="module")
def address(log):
    served, address = start(log)
    yield address
    served.terminate()
    served.communicate(timeout=30)


def upload(address, path):
    with path.open("rb") as file:
        return httpx.post(f"{address}gradio_api/upload", trust_env=False, files={"files": (path.name, file)}).json()[0]


def asked(address, data, name="depth"):
    """What comes of a call: the text of its event, or of its refusal."""
    answer = WEB.post(f"{address}gradio_api/call/{name}", content=json.dumps({"data": data}))
    if answer.status_code != 200:
        return answer.text
    return WEB.get(f"{address}gradio_api/call/{name}/{answer.json()['event_id']}").text


def joined(address, fn, data, event=None):
    """The same for a function without a name, as the page itself calls it."""
    session = os.urandom(8).hex()
    body = {"data": data, "fn_index": fn, "trigger_id": None, "session_hash": session, "event_data": event}
    WEB.post(f"{address}gradio_api/queue/join", content=json.dumps(body))
    with WEB.stream("GET", f"{address}gradio_api/queue/data", params={"session_hash": session}) as lines:
        return next((line for line in lines.iter_lines() if "process_completed" in line), "nothing")


def shapes(path):
    """Every shape in which a request might name a file."""
    file = {"path": path}
    yield from (file, {**file, "meta": META}, {**file, "meta": None}, {**file, "meta": "gradio"}, {**file, "meta": {}})
    yield from ({**file, "meta": META, "is_stream": True}, {**file, "is_stream": True}, {**file, "meta": [META]})
    yield from ({**file, "meta": META, "url": path}, {**file, "meta": META, "url": f"/gradio_api/file={path}"})
    yield from ({"url": path}, {"url": path, "meta": META}, {"path": None, "url": path}, {"path": "", "url": path})
    yield from ({**file, "meta": META, "orig_name": "photo.jpg", "mime_type": "image/jpeg", "size": 1},)
    yield from ({**file, "orig_name": 3, "meta": META}, {**file, "size": "large", "meta": META})
    yield from ({"path": file}, {"path": [path]}, {"path": {**file, "meta": META}}, {"image": file}, {"value": file})
    yield from (path, [path], [file], [[file]], [{**file, "meta": META}], {"a": {"b": {**file, "meta": META}}})
    yield from ({"__type__": "update", "value": {**file, "meta": META}}, {**file, "meta": META, "more": file})


HOSTILE = (None, True, 0, -1, 1e300, "", "x", [], {}, [None], {"path": 3}, {"path": True}, {"meta": META})
DATA = "data:image/png;base64,iVBORw0KGgo="


def test_only_uploads_are_read_in_whatever_shape_they_are_named(address, log, tmp_path):
    mine = upload(address, ROOT / "examples" / "room.jpg")
    assert asked(address, [{"path": mine}, NETWORK, 60]).startswith("event: complete")
    assert asked(address, [{"path": mine, "meta": META, "url": "http://a.example/b"}, NETWORK, 60]).startswith(
        "event: complete"
    )
    (tmp_path / "link").symlink_to(tmp_path)
    shutil.copy(ROOT / "examples" / "room.jpg", tmp_path / "room.jpg")
    folder = mine.rsplit("/", 1)[0]
    is_there = [str(tmp_path / "room.jpg"), f"{tmp_path}/link/room.jpg", "/etc/hostname", "/dev/zero", str(tmp_path)]
    is_not = [str(tmp_path / "none.jpg"), f"{folder}/none.jpg", "http://foreign.example/a.jpg", "//foreign.example/a"]
    around = [
        f"{folder}/../../../etc/hostname",
        folder,
        f"{mine}\0",
        "\ud800",
        "~",
        ".",
        "file:///etc/hosts",
        DATA,
    ]
    plain = {asked(address, [{"path": path}, NETWORK, 60]) for path in (*is_there, *is_not, *around)}
    assert len(plain) == 1, plain  # the same words whatever is there
    assert FOREIGN in plain.pop()
    for place in (0, 1, 2):
        for shapes_of in zip(*map(shapes, (is_there[0], is_not[0], is_not[2])), strict=True):
            said = set()
            for path, shape in zip((is_there[0], is_not[0], is_not[2]), shapes_of, strict=True):
                data = [{"path": mine}, NETWORK, 60]
                data[place] = shape
                said.add(asked(address, data).replace(path, "PATH"))
            assert len(said) == 1, said
            assert said.pop().startswith("event: error"), shapes_of
    assert "Traceback" not in log.read_text()


def test_wrong_types_are_one_line_each(address, log):
    mine = {"path": upload(address, ROOT / "examples" / "room.jpg")}
    for wrong in HOSTILE:
        for place in (0, 1, 2):
            data = [mine, NETWORK, 60]
            data[place] = wrong
            expected = "complete" if place == 2 and not isinstance(wrong, bool) and wrong in (None, "") else "error"
            assert asked(address, data).startswith(f"event: {expected}"), data
    for data in ([], [mine], [mine] * 50, [[mine, NETWORK, 60]]):
        assert not asked(address, data).startswith("event: complete"), data
    for fn in range(4):
        for wrong in (*HOSTILE, {"path": "/etc/hostname", "meta": META}):
            assert "hostname" not in joined(address, fn, [wrong], wrong)
    deep = "[" * 5000 + "]" * 5000
    body = f'{{"data": [{deep}, "x", 60]}}'
    assert WEB.post(f"{address}gradio_api/call/depth", content=body).status_code < 500
    assert asked(address, [mine, NETWORK, 60]).startswith("event: complete")
    assert "Traceback" not in log.read_text()


def test_it_asks_nobody(address, log):
    """Whatever a request names; look-ups and connections are counted in the process that serves."""
    far = "http://foreign.example/a.jpg"
    for shape in shapes(far):
        for data in ([shape, NETWORK, 60], [None, shape, 60], [None, NETWORK, shape]):
            asked(address, data)
    for fn in range(4):
        joined(address, fn, [{"path": far, "meta": META}] * 3, {"index": [1, 1], "value": {"path": far, "meta": META}})
    for path in (f"file={far}", f"file/{far}", f"proxy={far}", f"run/predict?x={far}"):
        WEB.get(f"{address}gradio_api/{path}")
    assert "ASKED" not in log.read_text()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "foreign.example"},
        {"Host": "foreign.example:7860"},
        {"Host": "127.0.0.1.foreign.example"},
        {"Host": "foreign.example@127.0.0.1"},
        {"Host": "192.168.0.1"},
        {"Host": ""},
        {"X-Forwarded-Host": "foreign.example"},
        {"X-Forwarded-Host": "127.0.0.1, foreign.example"},
        {"X-Gradio-Server": "http://foreign.example"},
        {"Origin": "http://foreign.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Host": "foreign.example", "Origin": "http://foreign.example"},
        {"Host": "foreign.example", "Connection": "Upgrade", "Upgrade": "websocket"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["", "config", "gradio_api/info", "gradio_api/queue/join", "gradio_api/upload"])
def test_a_forged_name_is_refused_and_not_repeated(address, headers, path):
    for method in ("GET", "POST", "OPTIONS"):
        wanted = {"Access-Control-Request-Method": "POST"} if method == "OPTIONS" else {}
        answer = WEB.request(method, address + path, headers=headers | wanted)
        assert answer.status_code in (400, 403)
        assert "foreign" not in answer.text + str(answer.headers)


def test_what_the_page_does_not_need_is_not_there(address, tmp_path):
    for path in (
        "component_server",
        "vibe-edit",
        "process_recording",
        "deep_link",
        "startup-events",
        "reload",
        "proxy=x",
    ):
        assert WEB.post(f"{address}gradio_api/{path}").status_code == 404
    (tmp_path / "a.txt").write_text("secret")
    answers = [WEB.get(f"{address}gradio_api/file={path}") for path in (tmp_path / "a.txt", tmp_path / "b.txt", "/")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(403, "There is no such file here.")}
    mine = upload(address, ROOT / "examples" / "room.jpg")
    assert len(WEB.get(f"{address}gradio_api/file={mine}").content) == (ROOT / "examples" / "room.jpg").stat().st_size


ALSO = "depth.example"


@pytest.mark.parametrize(
    ("bound", "host", "origin", "passed"),
    [
        ("127.0.0.1", "localhost:9000", "http://localhost:9000", True),  # through a tunnel
        ("127.0.0.1", "LOCALHOST", None, True),
        ("127.0.0.1", "[::1]:7860", None, True),
        ("127.0.0.1", "[::1", None, False),
        ("127.0.0.1", "localhost:7860", "http://localhost:3000", False),
        ("127.0.0.1", "192.168.0.7:7860", None, False),
        ("192.168.0.7", "192.168.0.7:7860", None, True),
        ("192.168.0.7", "192.168.0.8:7860", None, False),
        ("0.0.0.0", "192.168.0.7:7860", "http://192.168.0.7:7860", True),
        ("0.0.0.0", "[fe80::1]:7860", None, True),
        ("0.0.0.0", "foreign.example:7860", None, False),
        ("0.0.0.0", "1.2.3.4.foreign.example", None, False),
        ("::", "localhost:7860", None, True),
        ("::", f"{socket.gethostname()}:7860", None, True),
        ("127.0.0.1", ALSO, f"https://{ALSO}", True),
        ("127.0.0.1", "127.0.0.1:7860", f"https://{ALSO}", True),  # a proxy that passes on its own name for us
        ("127.0.0.1", f"a.{ALSO}", None, False),
        ("127.0.0.1", ALSO, "https://foreign.example", False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_names_it_has_follow_from_what_it_listens_on(bound, host, origin, passed, kind):
    async def inner(scope, receive, send):
        reached.append(scope["type"])

    async def send(message):
        sent.append(message)

    reached, sent = [], []
    headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin else [])]
    scope = {
        "type": kind,
        "method": "GET",
        "path": "/",
        "headers": headers,
        "extensions": {"websocket.http.response": {}},
    }
    asyncio.run(Guard(inner, bound, [ALSO], lambda path: False, 1)(scope, None, send))
    assert reached == [kind] * passed
    assert bool(sent) != passed


def test_a_request_that_never_ends_is_cut_off(address):
    def noise():
        while True:
            yield b"[" * 2**14

    with contextlib.suppress(httpx.TransportError):  # it may close the connection while we are at it
        assert WEB.post(f"{address}gradio_api/call/depth", content=noise()).status_code == 413
    answer = WEB.post(f"{address}gradio_api/call/depth", content=b"[" * (LARGEST + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["outside", "link", "link to the folder", "pipe", "folder", "up", "relative"])
def test_only_regular_files_inside_are_found(tmp_path, kind, monkeypatch):
    uploads = Uploads()
    with (ROOT / "examples" / "room.jpg").open("rb") as file:
        mine = uploads.add("../../a/../évil\\r\noom?.jpg", file)
    assert uploads.find(str(mine)) == mine
    assert mine.parent.parent == uploads.root
    (tmp_path / "outside.jpg").write_bytes(b"")
    monkeypatch.chdir(mine.parent)
    made = mine.parent / "made"
    match kind:
        case "outside":
            made = tmp_path / "outside.jpg"
        case "link":
            made.symlink_to(tmp_path / "outside.jpg")
        case "link to the folder":
            (mine.parent / "way").symlink_to(tmp_path)
            made = mine.parent / "way" / "outside.jpg"
        case "pipe":
            os.mkfifo(made)
        case "folder":
            made = mine.parent
        case "up":
            made = f"{mine.parent}/../{mine.parent.name}/{mine.name}"
        case "relative":
            made = mine.name
    with pytest.raises(ZooError, match="not uploaded"):
        uploads.find(str(made))
    uploads.cleanup()
    assert not uploads.root.exists()


def test_a_foreign_page_cannot_reach_it_through_its_own_name(address):
    """DNS rebinding, in a browser: the foreign name is resolved to this machine once its page is there."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (chromium := shutil.which("chromium")):
        pytest.skip("chromium is not installed")
    port = address.rsplit(":", 1)[1].strip("/")
    mapped = "--host-resolver-rules=MAP foreign.example 127.0.0.1"
    with sync_api.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox", mapped])
        page = browser.new_page()
        answer = page.goto(f"http://foreign.example:{port}/")
        assert answer.status == 400
        assert "FastDepth" not in page.content()
        from_its_name = "path => fetch(path).then(r => r.status)"
        for path in ("/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=x"):
            assert page.evaluate(from_its_name, path) == 400
        posted = (
            "path => fetch(path, {method: 'POST', body: '{}', mode: 'no-cors'}).then(r => [r.status, r.type], String)"
        )
        assert page.evaluate(posted, "/gradio_api/call/depth")[0] == 400
        read = "path => fetch(path).then(r => r.text(), () => 'refused')"
        assert page.evaluate(read, f"{address}config") == "refused"
        assert browser.new_page().goto(address).status == 200
        browser.close()
