"""Records of devices: those of the zoo, and one that somebody brings along."""

import json

import pytest

from conftest import complaint
from zoo.kernels.device import FOLDER, device, records
from zoo.kernels.errors import KernelError
from zoo.kernels.log import path_of

RPI = (FOLDER / "rpi4.toml").read_text()


@pytest.fixture
def written(tmp_path):
    def write(old="", new=""):
        assert old in RPI
        path = tmp_path / "mine.toml"
        path.write_text(RPI.replace(old, new) if old else RPI)
        return path

    return write


def test_every_record_is_read_alike_as_a_file():
    for record in records():
        path = FOLDER / f"{record.name}.toml"
        found = device(str(path))
        assert found.folder == FOLDER
        assert {**vars(found), "folder": None} == vars(record)


def test_a_record_of_ones_own_compiles_and_its_log_lies_beside_it(zoo, written, tmp_path):
    path = written('name = "rpi4"', 'name = "mine"')
    assert path_of(device(str(path))) == tmp_path / "mine.jsonl"
    code, out, err = zoo("compile", "--device", path, "-o", "out", "--input", "32x32", "--json")
    assert code == 0, err
    assert json.loads(out)["device"] == "mine"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "rpi4"', 'name = "../rpi4"', "name '../rpi4': small letters, digits and dashes"),
        ("lanes = 4", 'lanes = "4"', "lanes is '4', not int"),
        ("lanes = 4", "lanes = 5", "lanes 5: there are 1, 4, 8, 16"),
        ("lanes = 4\n", "", "'lanes' is missing"),
        ("lanes = 4", "lanes = ", "not a device record"),
        ('machine = "aarch64"', 'machine = "sparc64"', "machine 'sparc64': there are aarch64 and x86_64"),
        ('mtriple = "aarch64-linux-gnu"', 'mtriple = "blah"', "'mtriple': 'aarch64-linux-gnu'"),
        ('kind = "llvm"', 'kind = "c"', "target: it must hold {'kind': 'llvm'"),
        ("board = true", "bored = true", "unexpected keyword argument 'bored'"),
        ("board = true", "board = true\ngpu = { shared = 1 }", "'max_num_threads' is missing"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(written, old, new, reason):
    with pytest.raises(KernelError) as caught:
        device(str(written(old, new)))
    assert reason in str(caught.value)
    assert str(caught.value).startswith(str(written()))


def test_a_file_that_is_not_there_is_one_line(zoo):
    assert "mine.toml: No such file" in complaint(zoo("compile", "--device", "mine.toml"))
