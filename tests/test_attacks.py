"""Hostile files end in one line: nothing runs, nothing is written elsewhere, memory stays bounded (`attacks.py` has them)."""

import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

import attacks
from conftest import ROOT, complaint
from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.importers import folded
from zoo.kernels.device import device
from zoo.kernels.errors import KernelError
from zoo.training.recipe import Recipe

HARMLESS = (attacks.SWELLS, "grey of 16 bits")  # within bounds, and read
NAMES = [name for name, _, _ in attacks.cases(Path("nowhere"))]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What one process that opened them all said of each."""
    folder = tmp_path_factory.mktemp("hostile")
    done = subprocess.run(
        [sys.executable, attacks.__file__, folder / "here"], capture_output=True, text=True, env=os.environ, check=False
    )
    assert not done.stderr, done.stderr
    told = {row["case"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert [path.name for path in folder.iterdir()] == ["here"]
    assert not (folder / "here" / "owned").exists()
    return told


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_is_one_line(outcomes, name, record_property):
    assert name in outcomes, "the process did not live to open this one"
    row = outcomes[name]
    assert "said" in row, "the process died of it"
    record_property("case", name)
    record_property("outcome", row["said"].replace(row["path"], "…"))
    assert row["seen"] == []
    assert len(row["said"].splitlines()) == 1
    assert not [word for word in ("Unable to allocate", "MemoryError") if word in row["said"]], "too much memory"
    assert row["said"].startswith("read: ") == any(harmless in name for harmless in HARMLESS)


def test_a_link_in_the_way_is_replaced_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("mine")
    for link in ("model.safetensors.partial", "model.safetensors"):
        (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    write_atomic(tmp_path / "model.safetensors", b"weights")
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert (tmp_path / "model.safetensors").read_bytes() == b"weights"
    assert not (tmp_path / "model.safetensors").is_symlink()


NAMED = ("\x1b]0;owned\x07.png", "[bold]a.png", "\N{RIGHT-TO-LEFT OVERRIDE}gnp.png", "line\nfeed.png")


def test_a_file_s_name_cannot_steer_the_terminal_or_pass_for_markup(zoo, tmp_path):
    folder = tmp_path / "in[" / "b]"
    folder.mkdir(parents=True)
    for name in NAMED:
        (folder / name).write_bytes(attacks.png(8, 8))
        (folder / f"bad {name}").write_text("no picture")
    code, out, err = zoo("predict", "in[/b]", "-o", "out")
    assert code == 2, err
    assert "Traceback" not in err
    assert "in[/b]/[bold]a.png" in out
    for stream in (out, err):
        assert not [c for c in stream if not c.isprintable() and c != "\n"]
    assert sum(line.startswith("error: ") for line in err.splitlines()) == len(NAMED)
    assert len(list((tmp_path / "out").iterdir())) == len(NAMED)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (device, "a = " + "[" * 20_000),
        (device, 'name = "../../x"'),
        (device, "[target.gpu]\nname = 1\n[gpu]\nx = 1"),
        (Recipe.read, "phases = " + "[" * 20_000),
        (Recipe.read, "phases = 7"),
        (Recipe.read, f"phases = [{{side = {'9' * 5000}}}]"),
    ],
    ids=[*("device deep", "device path", "device strange"), *("recipe deep", "recipe number", "recipe huge")],
)
def test_a_hostile_toml_is_one_line(tmp_path, read, text):
    path = tmp_path / "evil.toml"
    path.write_text(text)
    with pytest.raises((ZooError, KernelError), match=r"evil\.toml: not a (recipe|device record)") as refused:
        read(str(path) if read is device else path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_hostile_manifest_is_one_line(zoo, tmp_path):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "manifest.json").write_text("[" * 200_000)
    assert "evil/manifest.json: damaged manifest" in complaint(
        zoo("predict", "--artifact", "evil", ROOT / "examples" / "room.jpg")
    )


@pytest.mark.parametrize("what", ["scales", "norm"])
def test_an_onnx_file_cannot_blow_up_its_weights(tmp_path, what):
    """Few weights and many scales make a product larger than any memory."""
    many = np.ones(300_000, np.float32)
    tensors = {"w": np.ones((1, 300_000, 1, 1), np.int8 if what == "scales" else np.float32), "many": many}
    nodes = [helper.make_node("Conv", ["x", "v" if what == "scales" else "w"], ["y"])]
    if what == "scales":
        nodes.insert(0, helper.make_node("DequantizeLinear", ["w", "many"], ["v"], axis=0))
    else:
        nodes.append(helper.make_node("BatchNormalization", ["y", *["many"] * 4], ["z"]))
    constants = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "evil", [], [], constants)
    onnx.save(helper.make_model(graph), tmp_path / "evil.onnx")
    with pytest.raises(ZooError, match=r"300000 (scales for|channels behind) 1 filters"):
        folded.read(tmp_path / "evil.onnx")


@pytest.mark.parametrize(
    "words", ["predict photo.jpg", "predict . -o out", "predict photo.jpg --engine process", "eval --dataset frames"]
)
@pytest.mark.parametrize("form", ["EPS", "PS"])
def test_postscript_under_another_name_starts_no_interpreter(zoo, tmp_path, words, form):
    """Pillow would hand it to `gs`, a language with files and processes."""
    (tmp_path / "bin").mkdir()
    gs = tmp_path / "bin" / "gs"
    gs.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    gs.chmod(0o755)
    made = io.BytesIO()
    Image.new("RGB", (40, 30)).save(made, "EPS")
    dos = struct.pack("<IIIIIIIH", 0xC6D3D0C5, 30, len(made.getvalue()), 0, 0, 0, 0, 0xFFFF)  # EPS with a header
    content = made.getvalue() if form == "PS" else dos + made.getvalue()
    for path in ("photo.jpg", "frames/rgb/0.png", "frames/depth/0.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    code, _, err = zoo(*words.split(), PATH=f"{gs.parent}:{os.environ['PATH']}")
    assert code == 2
    assert "not a picture this can read" in err
    assert not (tmp_path / "started").exists()
