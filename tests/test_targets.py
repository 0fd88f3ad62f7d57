"""Kinds of machines: each says all that Target asks for, and nobody else asks which kind it is."""

import inspect
import re

import pytest

from conftest import ROOT
from zoo.kernels.device import device, records
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.workload import Workload
from zoo.kernels.targets import KINDS, target_of
from zoo.kernels.targets.base import Target
from zoo.kernels.tuning.local import LocalRunner
from zoo.kernels.tuning.search import features

NAMES = ("pointwise1s1-f32-c24-k40-14x14", "depthwise5s1-f32-c24-28x28+relu", "head1s1-f32-c16-k1-28x28+relu+double")


def test_every_folder_is_a_kind_and_every_record_names_one():
    assert KINDS == ("cpu", "cuda", "wasm")
    assert {record.kind for record in records()} == set(KINDS)


@pytest.mark.parametrize(
    "record", [device("rpi4"), device("x86-64-v4"), device("tx2"), device("wasm")], ids=lambda r: r.name
)
def test_a_target_says_all_that_is_asked(record):
    target = target_of(record)
    assert isinstance(target, Target)
    assert inspect.getattr_static(type(target), "version") == 1
    assert target.summary
    for w in map(Workload.parse, NAMES):
        knobs = target.default(w)
        target.check(w, knobs)
        assert target.tasks(w, knobs) >= 1
        assert target.workspace(w, knobs) >= 0
        assert all(isinstance(value, float) for value in target.features(w, knobs))
        settings = [*target.space(w)]
        assert knobs in settings
        seen = {tuple(features(w, setting, record, "znver4")) for setting in settings[:200]}
        assert len(seen) == len(settings[:200])
        with pytest.raises(KernelError, match="this schedule has"):
            target.check(w, {"tile": 4})


def test_what_a_browser_has_not_yet_is_one_line():
    with pytest.raises(KernelError, match=r"^wasm: kernels for WebAssembly cannot be timed here yet$"):
        LocalRunner(device("wasm"))
    with pytest.raises(KernelError, match=r"^wasm: what a WebAssembly host can do at most cannot be measured yet$"):
        target_of(device("wasm")).peak(1)


def test_what_a_gpu_has_not_yet_is_one_line():
    with pytest.raises(KernelError, match=r"^tx2: kernels for GPUs cannot be timed here yet$"):
        LocalRunner(device("tx2"))
    with pytest.raises(KernelError, match=r"^tx2: what a GPU can do at most cannot be measured yet$"):
        target_of(device("tx2")).peak(1)


def test_nobody_but_a_target_knows_its_kind_of_machine():
    """No question after the GPU, no system, no library's name, no processor beyond targets, instructions and records."""
    asked = re.compile(r"\.gpu\b|-linux-gnu|pthread|\.so\b|x86_64|aarch64|sm_\d|\"cuda\"|\"cpu\"")
    allowed = {"device.py", "artifact/manifest.py", "tuning/autotvm.py", "tuning/records_v1.py", "processor.py"}
    for path in (ROOT / "kernels").rglob("*.py"):
        inner = path.relative_to(ROOT / "kernels")
        if inner.parts[0] not in ("targets", "runtime", "instructions") and str(inner) not in allowed:
            code = re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.S)
            assert not asked.findall(code), path


def test_tvm_s_private_parts_are_reached_from_one_file():
    private = re.compile(
        r"split_host_device|get_default_tir_pipeline|target\.build|register_intrin|codegen|get_function|__tvm"
    )
    for path in (ROOT / "kernels").rglob("*.py"):
        assert path.name == "tvm_private.py" or not private.findall(path.read_text()), path
