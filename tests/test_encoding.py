"""Consoles that cannot show every sign: a name, a dash or an ellipsis never ends a command whose work is done."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
CONSOLES = {
    **{name: {"PYTHONIOENCODING": name} for name in ("ascii", "latin-1", "cp437", "utf-8", "utf-16", "ascii:strict")},
    "C": C_LOCALE,
}


def run(*words, cwd, **environment):
    """(exit code, stdout, stderr) of a process of its own: the encoding is chosen as it starts."""
    environment = os.environ | {"COLUMNS": "200"} | environment
    done = subprocess.run([sys.executable, "-m", "zoo", *words], cwd=cwd, env=environment, capture_output=True)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def picture(tmp_path):
    """A picture whose name few encodings have signs for, and whose last byte is no UTF-8."""
    path = tmp_path / os.fsdecode("Küche – 部屋".encode() + b"\xff.png")
    Image.new("RGB", (64, 64), "gray").save(path)
    return path


@pytest.mark.parametrize("console", CONSOLES)
def test_every_console_is_told_of_a_picture(picture, tmp_path, console):
    code, out, err = run("predict", picture, "-o", "out/", cwd=tmp_path, **CONSOLES[console])
    assert (code, err.count(b"Error")) == (0, 0), err
    assert out
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_json_is_valid_on_every_console(picture, tmp_path):
    code, out, _ = run("predict", picture, "-o", "out/", "--json", cwd=tmp_path, **CONSOLES["ascii"])
    assert code == 0
    assert "Küche" in json.dumps(json.loads(out.decode("ascii")), ensure_ascii=False)


def test_a_fault_is_one_line_on_every_console(tmp_path):
    code, _, err = run("predict", "部屋.jpg", "-o", "x.png", cwd=tmp_path, **CONSOLES["ascii"])
    assert code == 2
    assert err.count(b"\n") == 1
    assert err.startswith(b"error: ")


def test_a_closed_output_is_no_fault_of_ours(tmp_path):
    done = subprocess.run(f"{sys.executable} -m zoo list >&-", shell=True, cwd=tmp_path, capture_output=True)
    assert b"Traceback" not in done.stderr
