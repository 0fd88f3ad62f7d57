"""Records of devices: those of the zoo, and one that somebody brings along."""

import json

import pytest

from conftest import complaint
from zoo.kernels.device import FOLDER, device, records
from zoo.kernels.errors import KernelError
from zoo.kernels.records import path_of
from zoo.kernels.targets.cpu.from_json import device_of

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
    assert path_of(device(str(path)), "cortex-a72") == tmp_path / "cortex-a72.jsonl"
    code, out, err = zoo("compile", "--device", path, "-o", "out", "--input", "32x32", "--json")
    assert code == 0, err
    assert json.loads(out)["device"] == "mine"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "rpi4"', 'name = "../rpi4"', "name '../rpi4': small letters, digits and dashes"),
        ("simd_lanes = 4", 'simd_lanes = "4"', "simd_lanes is '4', not int"),
        ("simd_lanes = 4", "simd_lanes = 5", "simd_lanes 5: there are 1, 4, 8, 16"),
        ("simd_lanes = 4\n", "", "'simd_lanes' is missing"),
        ("simd_lanes = 4", "simd_lanes = ", "not a device record"),
        ('arch = "aarch64"', 'arch = "sparc64"', "arch 'sparc64': there are aarch64 and x86_64"),
        ('mtriple = "aarch64-linux-gnu"', 'mtriple = "blah"', "'mtriple': 'aarch64-linux-gnu'"),
        ('kind = "llvm"', 'kind = "c"', "target: it must hold {'kind': 'llvm'"),
        ('kind = "cpu"', 'kind = "npu"', "kind 'npu': there are cpu and cuda"),
        ('kind = "cpu"', 'kind = "cuda"', "target: it must hold {'kind': 'nvptx'}"),
        ("simd_lanes", "lanes", "its keys have new names: lanes is now simd_lanes"),
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


ARM = {"kind": "llvm", "mtriple": "aarch64-linux-gnu"}


@pytest.mark.parametrize(
    ("target", "like", "features"),
    [
        (ARM | {"mcpu": "cortex-a72"}, "rpi4", ()),
        (ARM | {"mcpu": "cortex-a76"}, "rpi5", ("atomics", "asimdhp", "asimddp")),
        (
            {"kind": "llvm", "mtriple": "x86_64-unknown-linux-gnu", "mcpu": "haswell"},
            "x86-64-v3",
            ("sse4.2", "fma", "avx2"),
        ),
        (
            {"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "haswell", "mattr": ["-avx2"]},
            "x86-64-v2",
            ("sse4.2", "fma"),
        ),
    ],
)
def test_what_a_target_leaves_open_follows_from_its_processor(target, like, features):
    found, known = device_of(json.dumps(target)), device(like)
    for fact in ("kind", "arch", "zig_target", "simd_lanes", "simd_registers"):
        assert getattr(found, fact) == getattr(known, fact)
    assert found.cpu_features == features
    assert {"mcpu": target["mcpu"], "mtriple": known.target["mtriple"]}.items() <= found.target.items()


def test_targets_do_not_share_a_log():
    names = [device_of(json.dumps(ARM | more)).name for more in ({"mcpu": "cortex-a72"}, {"mcpu": "generic"})]
    names += [device_of(json.dumps(ARM | {"mcpu": "cortex-a55", "mattr": [word]})).name for word in ("+lse", "-lse")]
    assert names == ["target-cortex-a72", "target-generic", "target-cortex-a55-lse", "target-cortex-a55-no-lse"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "it is not an object in braces"),
        ("{}", 'its "kind" must be "llvm"'),
        ('{"kind": "cuda", "arch": "sm_62"}', "a target does not say what a GPU has; write a device record"),
        ('{"kind": "llvm"}', '"mcpu" is missing'),
        ('{"kind": "llvm", "mcpu": "pentium-9"}', "LLVM knows no \"mcpu\" 'pentium-9' among "),
        ('{"kind": "llvm", "mcpu": 3}', 'LLVM knows no "mcpu" 3 among'),
        ('{"kind": "llvm", "mtriple": "riscv64-linux-gnu", "mcpu": "generic"}', "\"mtriple\" begins with 'riscv64'"),
        (
            json.dumps(ARM | {"mcpu": "cortex-a72", "mattr": ["+wings"]}),
            "LLVM knows no \"mattr\" 'wings' of cortex-a72",
        ),
        (json.dumps(ARM | {"mcpu": "cortex-a72", "mattr": "+neon"}), "Option 'mattr': expected type"),
        (json.dumps(ARM | {"mcpu": "cortex-a72", "wings": 2}), "Unknown config option 'wings'"),
    ],
)
def test_what_is_wrong_with_a_target_is_one_line(text, reason):
    with pytest.raises(KernelError) as caught:
        device_of(text)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"--target {text}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_a_target_compiles_and_runs_where_it_can(zoo, tmp_path):
    here = next(record for record in records() if record.runs_here)
    target = json.dumps({key: here.target[key] for key in ("kind", "mtriple", "mcpu")})
    code, out, err = zoo("compile", "--target", target, "-o", "out", "--input", "32x32", "--json", "--layers")
    assert code == 0, err
    made = json.loads(out)
    assert made["device"].startswith("target-")
    assert (made["checked"], len(made["steps"])) == ("here", sum(made["knobs"].values()))


def test_a_device_or_a_target_but_not_both(zoo):
    assert complaint(zoo("compile")) == "error: give --device NAME (zoo devices) or --target JSON"
    both = ("compile", "--device", "host", "--target", "{}")
    assert complaint(zoo(*both)) == "error: --device and --target say the same thing: give one"


def test_one_device_is_shown_whole_with_its_source(zoo):
    code, out, _ = zoo("devices", "tx2")
    assert code == 0
    assert "sm_62" in out
    assert "data sheet" in out
    code, out, _ = zoo("devices", "tx2", "--json")
    assert json.loads(out)["gpu"]["registers"] == 32768
    assert "unknown device 'tx3'" in complaint(zoo("devices", "tx3"))


def test_a_log_beside_its_own_record_is_looked_into(zoo, written, tmp_path):
    written('name = "rpi4"', 'name = "mine"')
    line = (FOLDER.parent / "tuning" / "logs" / "cortex-a57.jsonl").read_text().splitlines()[0]
    (tmp_path / "mine.jsonl").write_text(line.replace('"tx2-cpu"', '"mine"') + "\n")
    for words in (("show",), ("best",), ("check",)):
        code, _, err = zoo("log", *words, "mine.jsonl")
        assert code == 0, err
