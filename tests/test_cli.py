"""The command line as a person meets it."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT, complaint
from zoo.kernels.device import device, host
from zoo.kernels.ir.rewrite import rewrite
from zoo.kernels.ir.trace import trace
from zoo.kernels.processor import here
from zoo.kernels.records import FOLDER, best, read
from zoo.weights import checkpoint

ROOM = ROOT / "examples" / "room.jpg"


def test_list(zoo):
    code, out, err = zoo("list")
    assert (code, err) == (0, "")
    assert "fastdepth_pruned" in out
    assert "preview" in out
    assert "\x1b" not in out
    rows = json.loads(zoo("list", "--json")[1])
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    assert all(len(row["weights"]["sha256"]) == 64 for row in rows if row["weights"])


def test_info_and_devices(zoo):
    code, out, _ = zoo("info", "fastdepth_pruned")
    assert code == 0
    assert "366.39 M" in out
    assert "published, not measured here" in out
    assert json.loads(zoo("info", "fastdepth", "--json")[1])["conv_weights"] == 3_933_088
    code, out, _ = zoo("devices", COLUMNS="80")
    assert all(len(line) <= 80 for line in out.splitlines())
    assert f"This machine: {here().processor}" in out
    assert f"znver4: {len(best(read(FOLDER / 'znver4.jsonl')[0], device('x86-64-v4')))}" in out
    assert all(title in out for title in ("Classes", "Boards", "GPUs"))
    assert sum(row["host"] for row in json.loads(zoo("devices", "--json")[1])) == 1


@pytest.mark.parametrize(
    "words", [(), ("--help",), ("predict", "--help"), ("compile", "-h"), ("import", "-h"), ("list", "-h")]
)
def test_help_shows_what_to_type(zoo, words):
    _, out, _ = zoo(*words)
    assert "zoo predict" in out or "Examples" in out


def test_weights_that_were_shortly_trained_are_said_to_be(zoo):
    code, _, err = zoo("predict", ROOM, "-m", "fastdepth_netadapt", "-o", "depth.png")
    assert code == 0, err
    assert "preview weights" in err


def test_a_photo_becomes_depth(zoo, tmp_path):
    code, out, err = zoo("predict", ROOM, "-o", "depth.png", "--raw", "npy")
    assert code == 0, err
    assert "depth.png, depth.npy" in out
    assert "preview" not in err
    depth = np.load(tmp_path / "depth.npy")
    assert (depth.shape, depth.dtype) == ((480, 640), np.float32)
    assert 0.2 < np.median(depth) < 10
    with Image.open(tmp_path / "depth.png") as shown:
        assert shown.width > 2 * 640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["depth.npy", "depth.png"]


def test_compile_then_predict_with_the_artifact(zoo, tmp_path):
    code, out, err = zoo("compile", "--device", "host", "-o", "build/host")
    assert code == 0, err
    assert "38: " in out
    for artifact, name in ((["--artifact", "build/host", "--threads", "2"], "compiled"), ([], "eager")):
        code, _, err = zoo("predict", *artifact, ROOM, "-o", f"{name}.png", "--raw", "npy")
        assert code == 0, err
    difference = np.abs(np.load(tmp_path / "compiled.npy") - np.load(tmp_path / "eager.npy")).max()
    assert difference <= 1e-4


def test_tune_bench_and_log(zoo, tmp_path, artifact, pruned):
    log = tmp_path / "log.jsonl"
    plan = rewrite(trace(pruned, 224, 224), host().simd_lanes)
    kernels = len(plan.workloads)
    for _ in range(2):  # trials are the total, so the second run has nothing to do
        code, out, err = zoo("tune", "--trials", "1", "--log", log, "--json")
        assert code == 0, err
        assert json.loads(out)["records"] == len(log.read_text().splitlines()) == kernels
    assert json.loads(out)["sum_ms"] > 0
    assert len(json.loads(zoo("log", "best", log, "--json")[1])) == kernels
    assert "pointwise1s1" in zoo("log", "show", log)[1]
    assert f"{kernels} records, 0 of them failures, {kernels} workloads tuned" in zoo("log", "check", log)[1]
    for expected in (f"{kernels} records added", "0 records added"):
        assert expected in zoo("log", "merge", log, "-o", tmp_path / "merged.jsonl")[1]
    row = json.loads(zoo("bench", "--artifact", artifact, "--threads", "2", "--layers", "--json")[1])
    assert len(row["steps"]) == len(plan.steps)
    assert row["processor"] == row["compiled_for"] == here().processor
    assert row["whole"]["p10_ms"] <= row["whole"]["p50_ms"] <= row["whole"]["p90_ms"]
    assert row["whole"]["macs"] == 366_393_384
    code, out, _ = zoo("bench", "--artifact", artifact, "--layers")
    assert "decoder.5.depthwise" in out
    assert "GMAC/s in registers" in out


def test_compile_for_another_model_size_and_device(zoo, tmp_path, pruned):
    checkpoint.save(pruned, tmp_path / "own")
    words = ("-m", "own", "--device", "x86-64-v3", "--input", "64x96", "--json")
    code, out, err = zoo("compile", *words)
    assert code == 0, err
    row = json.loads(out)
    assert row["artifact"] == "build/fastdepth_pruned-x86-64-v3"
    assert row["input"] == [3, 64, 96]
    assert (tmp_path / row["artifact"] / "manifest.json").is_file()


def test_raw_png_is_millimetres(zoo, tmp_path):
    row = json.loads(zoo("predict", ROOM, "--raw", "png16", "--json")[1])[0]
    assert row["picture"] == "room-depth.png"
    assert row["raw"] == "room-depth.raw.png"
    with Image.open(tmp_path / row["raw"]) as raw:
        millimetres = np.asarray(raw)
    assert millimetres.shape == (480, 640)
    assert float(np.median(millimetres)) == pytest.approx(row["median_m"] * 1000, abs=1)
    assert row["status"] == "ok"
    assert row["runtime"] == "torch"


def test_many_pictures_one_of_them_bad(zoo, tmp_path):
    (tmp_path / "in" / "b").mkdir(parents=True)
    for name, size in (("tall.png", (30, 90)), ("tiny.jpg", (1, 1)), ("wide.webp", (400, 60)), ("b/tall.png", (8, 8))):
        Image.new("RGB", size, "teal").save(tmp_path / "in" / name)
    (tmp_path / "in" / "bad.jpg").write_text("not a picture")
    code, out, err = zoo("predict", "in", "in/b/*.png", "-o", "out", "--raw", "npy", "--json")
    assert code == 2
    assert err.strip().splitlines() == [
        "error: in/bad.jpg: not a picture this can read (JPEG, PNG, WebP, TIFF, BMP, …)"
    ]
    good = {row["source"]: row for row in json.loads(out) if row["status"] == "ok"}
    assert {row["picture"] for row in good.values()} == {
        "out/tall.png",
        "out/tiny.png",
        "out/wide.png",
        "out/tall-2.png",
    }
    assert np.load(tmp_path / good["in/wide.webp"]["raw"]).shape == (60, 400)
    assert np.load(tmp_path / good["in/tall.png"]["raw"]).shape == (90, 30)
    assert not (tmp_path / "out" / "bad.png").exists()


def test_a_film(zoo, tmp_path):
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 12, (64, 48))
    for shade in range(0, 250, 50):
        writer.write(np.full((48, 64, 3), shade, np.uint8))
    writer.release()
    code, out, err = zoo("predict", "film.avi", "-o", "depth.mp4", "--max-frames", "3", "--json")
    assert code == 0, err
    assert json.loads(out)[0]["frames"] == 3
    capture = cv2.VideoCapture(str(tmp_path / "depth.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert capture.get(cv2.CAP_PROP_FPS) == 12


@pytest.fixture
def bad(tmp_path, artifact):
    """Everything that can be wrong with what one types, in one folder."""
    (tmp_path / "text.jpg").write_text("this is no picture\n" * 20)
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.jpg").write_bytes(ROOM.read_bytes()[:9000])
    (tmp_path / "nothing").mkdir()
    shutil.copyfile(ROOM, tmp_path / "room.jpg")
    manifest = json.loads((artifact / "manifest.json").read_text())
    for name, content in (("torn", '{"format"'), ("other", json.dumps(manifest | {"arch": "sparc64"}))):
        shutil.copytree(artifact, tmp_path / name)
        (tmp_path / name / "manifest.json").write_text(content)
    shutil.copytree(ROOT / "zoo" / "checkpoints" / "fastdepth_pruned", tmp_path / "damaged")
    content = bytearray((tmp_path / "damaged" / "model.safetensors").read_bytes())
    content[40:60] = b"\xff" * 20
    (tmp_path / "damaged" / "model.safetensors").write_bytes(bytes(content))
    return tmp_path


CASES = {
    "predict missing.jpg": "missing.jpg: no such file",
    "predict text.jpg": "text.jpg: not a picture",
    "predict cut.jpg": "cut.jpg: damaged picture",
    "predict empty.png": "empty.png: not a picture",
    "predict nothing": "nothing: no pictures in this folder",
    "predict no/*.jpg": "no/*.jpg: nothing matches",
    "predict missing.mp4": "missing.mp4: no such file",
    "predict room.jpg -m fastdeep": "unknown variant 'fastdeep'; known: ",
    "predict room.jpg -m damaged": "model.safetensors: not a readable safetensors file",
    "predict room.jpg -o room.jpg": "room.jpg: is the input",
    "predict room.jpg -o depth.docx": "depth.docx: cannot write this kind of picture",
    "predict room.jpg -o text.jpg/depth.png": "text.jpg/depth.png: cannot be written",
    "predict room.jpg text.jpg -o one.png": "one.png: 2 pictures need a folder",
    "predict room.jpg --raw exr": "--raw exr: choose one of npy, png16",
    "predict room.jpg --artifact nowhere": "nowhere/manifest.json: no such file",
    "predict room.jpg --artifact torn": "torn/manifest.json: damaged manifest",
    "predict room.jpg --artifact other": "this machine is",
    "compile --device tx3": "unknown device 'tx3'; known: host",
    "compile --device host -m fastdeep": "unknown variant",
    "compile --device host --input 100x100": "multiples of 32",
    "compile --device host -o nothing/../text.jpg": "exists and is not an artifact",
    "bench --artifact nowhere": "nowhere/manifest.json: no such file",
    "tune --device aarch64": "this machine cannot run it",
    "compile --device rpi4 --tune 9": "--tune measures on this machine",
    "compile --device host --processor ../x": "--processor '../x': a compiler's name, such as znver4",
    "log merge log.jsonl -o x.jsonl --processor Zen-4": "--processor 'Zen-4': a compiler's name",
    "log show nothing.jsonl": "neither a log file, nor a processor with records (cortex-a57, sapphirerapids, sm_62, znver4",
    "log merge nothing.jsonl -o x.jsonl": "nothing.jsonl: no such file",
    "train --dataset nothing -o x": "nothing: no frames; expected rgb/ and depth/",
    "export --format coreml -o x": "no format 'coreml'; there are onnx, tflite, pt2, torchscript",
    "export --input 7x7 -o x": "--input 7x7: give HEIGHTxWIDTH",
    "pull nothing": "unknown variant 'nothing'; known: ",
    "eval --dataset nothing": "nothing: no frames; expected rgb/ and depth/",
    "eval --dataset nothing --protocol best": "no protocol 'best'; there are published, whole, eigen",
    "train --dataset nothing --photos nothing -o x": "--photos and --teacher go together",
    "compile --device host -o text.jpg/x": "text.jpg: File exists",
    "import room.jpg --variant fastdepth -o x": "unknown format",
    "import missing --variant fastdepth -o x": "missing: No such file",
    "info fastdeep": "unknown variant",
}


@pytest.mark.parametrize("words", CASES)
def test_what_a_user_can_mend_is_one_line_and_leaves_nothing(zoo, bad, words):
    before = sorted(bad.rglob("*"))
    assert CASES[words] in complaint(zoo(*words.split()))
    assert sorted(bad.rglob("*")) == before


def test_a_name_cannot_steer_the_terminal(zoo):
    line = complaint(zoo("predict", "\x1b[31mred\x07.jpg"))
    assert "\x1b" not in line
    assert "red" in line
