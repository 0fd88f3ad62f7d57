"""The artifact for browsers: in Node and, where there is one, in Chromium."""

import http.server
import json
import shutil
import subprocess
import threading
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import ROOT, complaint, seeded
from zoo.inference.predictor import Predictor, Runner
from zoo.kernels.artifact.build import build
from zoo.kernels.artifact.verify import reference, verify_elsewhere
from zoo.kernels.device import device
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.trace import trace
from zoo.model.layers import ConvNormAct
from zoo.model.network import initialise
from zoo.model.upsample import nearest

NODE = shutil.which("node")
SIDES = (32, 48)
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node")
MODULES = ("fastdepth-relaxed.wasm", "fastdepth.wasm")


class Small(torch.nn.Module):
    """A layer of each kind that FastDepth has, so that it compiles in a moment."""

    def __init__(self):
        super().__init__()
        self.stem, self.depthwise = ConvNormAct(3, 16, 3, stride=2), ConvNormAct(16, 16, 5, groups=16)
        self.pointwise, self.head = ConvNormAct(16, 24, 1), ConvNormAct(24, 1, 1)

    def forward(self, image):
        return self.head(nearest(self.pointwise(self.depthwise(self.stem(image)))))


@pytest.fixture(scope="module")
def network():
    made = Small().eval()
    initialise(made, torch.Generator().manual_seed(0))
    with torch.no_grad():
        made.head.norm.bias.fill_(2.0)
    return made


@pytest.fixture(scope="module")
def web(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("web") / "web"
    build(trace(network, *SIDES), device("wasm"), folder, {"name": "small", "status": "random"})
    return folder


@pytest.fixture
def copy(web, tmp_path):
    return shutil.copytree(web, tmp_path / "copy")


def javascript(folder, code, *flags):
    """What a program says, as JSON; `say` is its last word, `FastDepth` and `Engine` are the artifact's."""
    head = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ FastDepth }} from "{folder}/fastdepth.mjs";
        import {{ Engine, MODULES, runs }} from "{folder}/engine.mjs";
        const say = (value) => console.log(JSON.stringify(value));
        const why = async (made) => {{ try {{ await made; return null; }} catch (error) {{ return error.message; }} }};
    """
    command = [NODE, *flags, "--input-type=module", "-e", head + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_folder_is_a_module_and_a_page(web):
    names = {path.name for path in web.iterdir()}
    expected = {
        *MODULES,
        "parameters.bin",
        "fastdepth.mjs",
        "fastdepth.d.mts",
        "worker.mjs",
        "index.html",
        "package.json",
    }
    assert expected <= names
    assert names == set(json.loads((web / "manifest.json").read_text())["files"]) | {"manifest.json"}
    assert {(web / name).stat().st_mode & 0o777 for name in MODULES} == {0o644}


@needs_node
@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_nothing_and_never_grows(name, web):
    said = javascript(
        web,
        f"""if (!runs("{name}")) say(null); else {{
            const module = new WebAssembly.Module(readFileSync("{web}/{name}"));
            say([WebAssembly.Module.imports(module), WebAssembly.Module.exports(module).map((one) => one.name)]);
        }}""",
    )
    if said is None:
        pytest.skip("this Node has no relaxed SIMD")
    imports, exports = said
    functions = ("open", "run", "step", "image", "depth", "parameters", "parameter_bytes", "describe", "error")
    assert imports == []
    assert sorted(exports) == sorted(["memory", *(f"fastdepth_{function}" for function in functions)])
    assert b"memory.grow" not in (web / name).read_bytes()


@needs_node
def test_the_same_depth_as_eager(network, web):
    error, how = verify_elsewhere(web, trace(network, *SIDES), device("wasm"), Runner(network), lambda *_: None)
    assert error < 1e-5
    assert how.startswith("in Node ")
    assert how.endswith("fastdepth.wasm")


@needs_node
def test_a_picture_s_depth_is_python_s(network, web, tmp_path):
    """At the picture's own size, a panorama too, through the public interface."""
    for height, width in ((61, 97), (40, 150)):
        pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)
        rgba = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
        (tmp_path / "picture").write_bytes(rgba.tobytes())
        said = javascript(
            web,
            f"""const net = await FastDepth.open("{web}");
            const data = readFileSync("{tmp_path}/picture");
            const {{ depth, near, far, width, height }} = await net.predict({{ data, width: {width}, height: {height} }});
            say([[...depth], near, far, width, height]);""",
        )
        expected = Predictor(network, *SIDES)(pixels)
        depth = np.array(said[0], np.float32).reshape(height, width)
        assert np.abs(depth - expected).max() < 1e-5
        assert said[1:] == [float(depth.min()), float(depth.max()), width, height]


@needs_node
def test_opening_says_how_far_it_is_and_can_be_stopped(web):
    said = javascript(
        web,
        f"""let last;
        const net = await FastDepth.open("{web}", {{ onProgress: (progress) => (last = progress) }});
        const stopped = await why(FastDepth.open("{web}", {{ signal: AbortSignal.abort(new Error("enough")) }}));
        const picture = {{ data: new Uint8Array(4), width: 1, height: 1 }};
        net.close();
        const wrong = [null, 5, {{ data: new Uint8Array(3), width: 1, height: 1 }}];
        const other = await FastDepth.open("{web}");
        say([last, stopped, await why(net.predict(picture)), net.height, net.width, net.model.name,
            await Promise.all(wrong.map((one) => why(other.predict(one)))), await why(other.run(new Float32Array(5)))]);""",
    )
    assert said[0]["loaded"] == said[0]["total"] > 0
    assert said[1:6] == ["enough", "the network was closed", *SIDES, "small"]
    assert all(reason.startswith("not a picture") for reason in said[6])
    assert said[7] == "5 values, not 3x32x48"


@needs_node
def test_parameters_stored_in_half_are_rounded_and_nothing_else(network, web, tmp_path):
    plan, half = trace(network, *SIDES), tmp_path / "half"
    build(plan, device("wasm"), half, {"name": "small", "status": "random"}, store="f16")
    assert 2 * (half / "parameters.bin").stat().st_size == (web / "parameters.bin").stat().st_size
    eager = reference(plan, device("wasm"), "f16")
    error, _ = verify_elsewhere(half, plan, device("wasm"), eager, lambda *_: None)
    assert error < 1e-5
    image = np.random.default_rng(0).random((3, *SIDES), np.float32)
    assert 1e-5 < np.abs(eager(image) - Runner(network)(image)).max() < 0.05


def test_only_browsers_read_parameters_stored_in_half(zoo):
    assert "--store f16: for rpi4 there is f32" in complaint(zoo("compile", "--device", "rpi4", "--store", "f16"))


def damage(path, at=1000):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def rewritten(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


DAMAGES = {
    "parameters.bin: the parameters are damaged, or of another build": lambda f: damage(f / "parameters.bin"),
    "parameters.bin: 64 bytes": lambda f: (f / "parameters.bin").write_bytes(bytes(64)),
    "manifest.json: not JSON": lambda f: (f / "manifest.json").write_text("<html>"),
    "manifest.json: not of a browser's artifact": lambda f: rewritten(
        f / "manifest.json", format="fastdepth-artifact/1"
    ),
    "manifest.json: not of a browser's": lambda f: rewritten(f / "manifest.json", kind="cpu"),
    "manifest.json: damaged": lambda f: rewritten(f / "manifest.json", files={}),
    "not what manifest.json says": lambda f: rewritten(f / "manifest.json", macs=7),
    "wasm: ": lambda f: [(f / name).write_bytes(b"\0asm") for name in MODULES],
    "no such file": lambda f: [(f / name).unlink() for name in MODULES],
}


@needs_node
@pytest.mark.parametrize("reason", DAMAGES)
def test_what_is_damaged_is_refused_by_name(reason, copy):
    DAMAGES[reason](copy)
    assert reason in javascript(copy, f'say(await why(FastDepth.open("{copy}")))')


@needs_node
def test_memory_that_cannot_be_had_is_one_line(web):
    said = javascript(web, f'say(await why(FastDepth.open("{web}")))', "--wasm-max-mem-pages=2")
    assert said.startswith("fastdepth")
    assert "memory" in said


@needs_node
def test_a_step_that_does_not_exist_and_a_run_before_opening(web):
    said = javascript(
        web,
        f"""const engine = await Engine.open("file://{web}/", {{ module: "fastdepth.wasm" }});
        const {{ exports }} = await WebAssembly.instantiate(readFileSync("{web}/fastdepth.wasm")).then((made) => made.instance);
        say([engine.exports.fastdepth_step(-1), engine.exports.fastdepth_step(99), engine.exports.fastdepth_step(0),
            exports.fastdepth_run()]);""",
    )
    assert said == [-1, -1, 0, -1]


def test_without_node_a_check_says_so(web, network, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert verify_elsewhere(web, trace(network, *SIDES), device("wasm"), Runner(network), lambda *_: None) is None


@needs_node
def test_a_module_that_fails_names_the_folder(copy, network):
    damage(copy / "parameters.bin")
    with pytest.raises(KernelError, match=r"failed in .*node.*damaged"):
        verify_elsewhere(copy, trace(network, *SIDES), device("wasm"), Runner(network), lambda *_: None)


def test_python_refuses_it_in_one_line(zoo, web):
    code, _, said = zoo("predict", "--artifact", str(web), str(ROOT / "examples" / "room.jpg"), "-o", "d.png")
    assert code == 2
    assert "compiled for wasm (wasm32), this machine is" in said


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def address(web):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=web))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", server
    server.shutdown()
    server.server_close()


@pytest.fixture
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (found := shutil.which("chromium")):
        pytest.skip("chromium is not installed")
    camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_api.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=found, args=["--no-sandbox", *camera])
        yield browser
        browser.close()


def test_the_page_in_a_browser(chromium, address, network, tmp_path):
    """A picture's metres are Python's; marks, keyboard, camera, downloads; nobody else is asked; then without a network."""
    url, server = address
    pixels = np.random.default_rng(7).integers(0, 256, (75, 101, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    (tmp_path / "text.png").write_text("no picture")
    expected = Predictor(network, *SIDES)(pixels)
    page = chromium.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    page.wait_for_selector("#loading", state="hidden")
    page.set_input_files("#file", tmp_path / "picture.png")
    page.wait_for_selector("#stage", state="visible")
    with page.expect_download() as download:
        page.get_by_role("button", name="Depth as NPY").click()
    depth = np.load(download.value.path())
    assert depth.dtype == np.float32
    assert np.abs(depth - expected).max() < 1e-5
    with page.expect_download() as download:
        page.get_by_role("button", name="Depth as PNG").click()
    assert np.array_equal(np.asarray(Image.open(download.value.path())), np.round(depth * 1000).astype(np.uint16))

    view = page.locator("#depth-view")
    view.focus()
    for key in ("ArrowRight", "Enter", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    focal = 101 / 2 / np.tan(np.radians(63.3) / 2)
    rays = [np.array([(51.5 - 50.5) / focal, (row + 0.5 - 37.5) / focal, 1.0]) * depth[row, 51] for row in (37, 47)]
    assert page.locator("#metres").inner_text() == f"{depth[47, 51]:.2f} m"
    assert page.locator("#distance").inner_text() == f"{np.linalg.norm(rays[0] - rays[1]):.2f} m"
    assert "between the points" in page.locator("#said").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#distance").inner_text() == "–"

    page.set_input_files("#file", tmp_path / "text.png")
    page.get_by_text("text.png: not a picture that this browser can read").wait_for()
    page.get_by_role("button", name="Camera", exact=True).click()
    page.get_by_text("frames/s").wait_for()
    page.get_by_role("button", name="Camera", exact=True).click()

    page.get_by_text("It also works without a network now.").wait_for()
    server.shutdown()
    server.server_close()
    page.reload()
    page.wait_for_selector("#loading", state="hidden")
    page.set_input_files("#file", tmp_path / "picture.png")
    page.wait_for_selector("#stage", state="visible")
    assert all(one.startswith((url, "blob:", "data:")) for one in asked)
    assert wrong == []


def test_pictures_of_every_kind_in_a_browser(chromium, address, network):
    """ImageData, bitmaps, images, blobs, on a page's own thread and in a worker: the same depth."""
    url, _ = address
    page = chromium.new_page()
    page.goto(url)
    said = page.evaluate(
        """async () => {
            const { FastDepth } = await import("./fastdepth.mjs");
            const data = Uint8ClampedArray.from({ length: 4 * 30 * 20 }, (_, i) => (i % 4 === 3 ? 255 : (i * 37) % 256));
            const pixels = new ImageData(data, 30, 20);
            const bitmap = await createImageBitmap(pixels);
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [30, 20];
            canvas.getContext("2d").putImageData(pixels, 0, 0);
            const blob = await new Promise((done) => canvas.toBlob(done));
            const image = new Image();
            image.src = URL.createObjectURL(blob);
            await image.decode();
            const made = [];
            for (const worker of [true, false]) {
                const net = await FastDepth.open(undefined, { worker });
                for (const picture of [pixels, bitmap, bitmap, blob, canvas, image])
                    made.push([...(await net.predict(picture)).depth]);
                made.push(net.module);
                net.close();
            }
            return made;
        }"""
    )
    data = np.array([(i * 37) % 256 for i in range(4 * 30 * 20)], np.uint8).reshape(20, 30, 4)[..., :3]
    expected = Predictor(network, *SIDES)(data)
    depths = [np.array(depth, np.float32).reshape(20, 30) for depth in said if not isinstance(depth, str)]
    assert {name for name in said if isinstance(name, str)} == {"fastdepth-relaxed.wasm"}
    assert len(depths) == 12
    assert all(np.array_equal(depth, depths[0]) for depth in depths)
    assert np.abs(depths[0] - expected).max() < 1e-5


@needs_node
@pytest.mark.slow
def test_the_bundled_networks_in_node(tmp_path):
    made = seeded("fastdepth_pruned")
    plan = trace(made, 224, 224)
    build(plan, device("wasm"), tmp_path / "web", {"name": "fastdepth_pruned", "status": "preview"})
    error, _ = verify_elsewhere(tmp_path / "web", plan, device("wasm"), Runner(made), lambda *_: None)
    assert error < 1e-4
