"""The page: what its function gives, what it refuses, many at once; and the page itself in a browser where there is one."""

import json
import shutil
import socket
import subprocess
import sys
from io import BytesIO

import httpx
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import ROOT, complaint
from zoo import image
from zoo.camera.intrinsics import Camera
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.inference import backends as runtimes
from zoo.visual import picture, scene

NETWORK = "fastdepth_pruned, torch"


@pytest.fixture(scope="module")
def address(artifact):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "zoo", "demo", "--port", str(port), "--artifact", str(artifact)]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    line = served.stdout.readline()
    assert line == f"http://127.0.0.1:{port}/ (Ctrl-C stops it)\n", line + served.stdout.read()
    yield line.split()[0]
    served.terminate()
    served.communicate(timeout=30)


@pytest.fixture(scope="module")
def client(address):
    """Called in a process of its own: its libraries warn of each other."""

    def call(program):
        done = subprocess.run(
            [sys.executable, "-c", f"from gradio_client import Client, handle_file\nimport json\n{program}", address],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return call


def test_the_api_gives_what_predict_gives(client):
    room = ROOT / "examples" / "room.jpg"
    coloured, said, cloud, raw, numbers = client(f"""
import sys
made = Client(sys.argv[1], verbose=False).predict(handle_file({str(room)!r}), {NETWORK!r}, "", api_name="/depth")
print(json.dumps(made))
""")
    depth = runtimes.find("fastdepth_pruned", None, 2).predict(image.read(room))
    with Image.open(raw) as file:
        assert np.abs(np.asarray(file) / 1000 - depth).max() < 0.001
    assert numbers["median_m"] == pytest.approx(np.median(depth), abs=1e-4)
    assert f"{depth.max():.2f} m" in said
    with Image.open(coloured) as file:
        assert file.size == picture.shown(depth).shape[1::-1]
    corner, opposite = trimesh.load(cloud, force="mesh").bounds
    assert (corner[2], opposite[2]) == pytest.approx((-depth.max(), -depth.min()), abs=0.05)


def test_a_bad_file_is_a_message_and_the_next_one_works(client, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("RGB", (6000, 5000)).save(tmp_path / "large.png")
    said = client(f"""
import sys
client, said = Client(sys.argv[1], verbose=False), []
for name in ("text.jpg", "large.png"):
    try:
        client.predict(handle_file({str(tmp_path)!r} + "/" + name), {NETWORK!r}, 60, api_name="/depth")
    except Exception as error:
        said.append(str(error))
room = handle_file({str(ROOT / "examples" / "room.jpg")!r})
for wrong in ((None, {NETWORK!r}, 60), (room, "another", 60), (room, {NETWORK!r}, 300)):
    try:
        client.predict(*wrong, api_name="/depth")
    except Exception as error:
        said.append(str(error))
client.predict(room, {NETWORK!r}, 60, api_name="/depth")
print(json.dumps(said))
""")
    assert "text.jpg: not a picture this can read" in said[0]
    assert "large.png: 6000x5000 pixels; the limit is 24 million" in said[1]
    assert "choose a picture first" in said[2]
    assert "no network 'another'; there are fastdepth_pruned, compiled for" in said[3]
    assert "a lens of 300 degrees: expected 1 to 170" in said[4]
    assert not any("/tmp" in line for line in said)


def test_a_file_of_the_server_is_not_read(address):
    """By a request that names one without having uploaded it."""
    path = str(ROOT / "examples" / "room.jpg")
    data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, NETWORK, 60]
    asked = httpx.post(f"{address}gradio_api/call/depth", json={"data": data}).json()["event_id"]
    answer = httpx.get(f"{address}gradio_api/call/depth/{asked}", timeout=60).text
    assert answer.startswith("event: error")
    assert "not uploaded" in answer


def test_many_at_once_none_lost_none_mixed_up(client, tmp_path):
    room, _ = render(3, 48, 64)
    expected = []
    predict = runtimes.find("fastdepth_pruned", None, 2).predict
    for i in range(25):
        pixels = np.roll(room, 2 * i, 1) // (1 + i % 3)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        expected.append(float(np.median(predict(pixels))))
    got = client(f"""
import sys
from concurrent.futures import ThreadPoolExecutor
client = Client(sys.argv[1], verbose=False)
def one(i):
    photo = handle_file({str(tmp_path)!r} + f"/{{i % 25}}.png")
    return client.predict(photo, {NETWORK!r}, "", api_name="/depth")[4]["median_m"]
with ThreadPoolExecutor(200) as pool:
    print(json.dumps(list(pool.map(one, range(200)))))
""")
    assert got == pytest.approx(expected * 8, abs=1e-4)


@pytest.fixture(scope="module")
def service():
    from zoo.demo.page import Service

    made = Service(["fastdepth_pruned"], [], 2)
    yield made
    made.folder.cleanup()


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"]), st.floats(0, 1))
def test_hostile_uploads_give_a_depth_or_one_line(service, tmp_path_factory, noise, form, at):
    buffer = BytesIO()
    Image.effect_noise((32, 24), 40).convert("RGB").save(buffer, form)
    content, place = buffer.getvalue(), int(at * len(buffer.getvalue()))
    path = tmp_path_factory.mktemp("upload") / "photo.jpg"
    path.write_bytes(content[:place] + noise + content[place + len(noise) :])
    try:
        numbers = service.depth(str(path), NETWORK, "")[4]
    except ZooError as error:
        assert str(error).startswith("photo.jpg: ")
        assert str(path.parent) not in str(error)
    else:
        assert 0 <= numbers["min_m"] <= numbers["max_m"] < 100


@given(st.integers(1, 1200), st.integers(1, 1200), st.data())
def test_pointing_finds_the_pixel_again(height, width, data):
    wide, high = picture.fit(height, width)
    x, y = data.draw(st.integers(0, wide - 1)), data.draw(st.integers(0, high - 1))
    top = picture.GAP + (max(high, picture.LOWEST) - high) // 2
    row, column = picture.point(picture.GAP + x, top + y, height, width)
    assert abs((row + 0.5) / height - (y + 0.5) / high) <= 1 / high
    assert abs((column + 0.5) / width - (x + 0.5) / wide) <= 1 / wide
    for outside in ((picture.GAP - 1, top + y), (picture.GAP + wide, top + y), (picture.GAP + x, top + high)):
        assert picture.point(*outside, height, width) is None


@given(st.integers(2, 40), st.integers(2, 40), st.floats(20, 120), st.floats(0.5, 10))
def test_a_wall_is_flat_and_as_wide_as_the_lens_sees(height, width, across, metres):
    focal = max(width, height) / 2 / np.tan(np.radians(across) / 2)
    camera = Camera.from_focal(focal, width, height)
    points = scene.unproject(np.full((height, width), metres, np.float32), camera)
    assert points[..., 2] == pytest.approx(-metres)
    step = metres / focal
    assert np.diff(points[..., 0], axis=1) == pytest.approx(step, rel=1e-3)
    assert np.diff(points[..., 1], axis=0) == pytest.approx(-step, rel=1e-3)
    assert points.mean((0, 1))[:2] == pytest.approx(0, abs=1e-3)


def test_no_surface_across_an_edge_in_depth():
    depth = np.ones((4, 6), np.float32)
    assert len(scene.triangles(depth)) == 2 * 3 * 5
    depth[:, 3:] = 2
    columns = scene.triangles(depth) % 6
    assert len(columns) == 2 * 3 * 4
    assert not ((columns <= 2).any(1) & (columns >= 3).any(1)).any()


@pytest.mark.parametrize(
    ("words", "reason"),
    [("-m nothing", "unknown variant 'nothing'"), ("--artifact nowhere", "nowhere/manifest.json: no such file")],
)
def test_what_a_user_can_mend_is_one_line(zoo, words, reason):
    assert reason in complaint(zoo("demo", *words.split()))


def test_a_taken_port_is_one_line(zoo, address):
    port = address.rsplit(":", 1)[1].strip("/")
    assert f"port {port}: " in complaint(zoo("demo", "-m", "fastdepth_pruned", "--port", port))


def test_in_a_browser(address, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (chromium := shutil.which("chromium")):
        pytest.skip("chromium is not installed")
    (tmp_path / "text.jpg").write_text("no picture")
    with sync_api.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.set_input_files("input[type=file]", ROOT / "examples" / "room.jpg")
        said = page.locator("#read-out")
        sync_api.expect(said).to_contain_text("fps", timeout=60_000)
        first = page.locator("#depth img")
        first.click(position={"x": 100, "y": 100})
        sync_api.expect(said).to_contain_text("m at row")
        before = first.get_attribute("src")
        page.get_by_label("Remove Image").first.click()
        page.set_input_files("input[type=file]", tmp_path / "text.jpg")
        sync_api.expect(page.get_by_text("text.jpg: not a picture this can read")).to_be_visible(timeout=60_000)
        page.get_by_alt_text("room-11").or_(page.locator(".gallery-item").nth(1)).first.click()
        sync_api.expect(said).to_contain_text("fps", timeout=60_000)
        assert page.locator("#depth img").get_attribute("src") != before
        assert all(url.startswith((address, "data:", "blob:")) for url in asked)
        browser.close()
