"""What tests share: real data where it is at hand, seeded networks, one compiled artifact."""

import fcntl
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from onnx import load_model_from_string
from PIL import Image

from commands import Commands
from zoo.data.rooms import render
from zoo.exporters import _quietly, onnx
from zoo.kernels.artifact.build import build
from zoo.kernels.device import host
from zoo.kernels.ir.trace import trace
from zoo.model.network import FastDepth, initialise
from zoo.variant import Variant, catalogue

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))  # benchmarks/ is not installed
DATA = ROOT.parent / "shared" / "data"
settings.register_profile("here", deadline=None)  # how long a case takes hangs on the machine
settings.load_profile("here")
LITE = Variant(  # an encoder that no bundled network has yet
    "lite",
    "EfficientNet-Lite0, depthwise NNConv5, concatenated skips",
    "efficientnet_lite0",
    "nnconv5",
    (32, 16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320),
    (256, 128, 80, 40, 16),
    "concat",
    ((11, 1), (5, 2), (3, 3), (1, 4)),
    (224, 224),
    "",
)
FAMILY = {v.name: v for v in (*catalogue(), *catalogue(study=True), LITE)}


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing")


def pytest_terminal_summary(terminalreporter):
    """What came of every case that a test recorded, in a line each."""
    reports = [r for kind in terminalreporter.stats.values() for r in kind if getattr(r, "when", "") == "teardown"]
    told = sorted((p["case"], p["outcome"]) for p in (dict(r.user_properties) for r in reports) if "outcome" in p)
    if told:
        terminalreporter.section("cases")
        wide = max(len(case) for case, _ in told)
        width = max(shutil.get_terminal_size().columns, wide + 60)
        for case, outcome in told:
            terminalreporter.line(f"{case:{wide}}  {outcome}"[:width])


@pytest.fixture(scope="session")
def data():
    if not DATA.is_dir():
        pytest.skip(f"real data is not here ({DATA})")
    return DATA


@pytest.fixture(autouse=True, scope="session")
def _threads():
    """As many as there are cores for: of two test files at a time each has one."""
    torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


def small_frames(path, count):
    """A folder of frames with depth: one rendered room, small, each frame turned a little further."""
    for part in ("rgb", "depth"):
        (path / part).mkdir()
    picture, depth = render(3, 48, 64)
    for i in range(count):
        Image.fromarray(np.roll(picture, i, 1)).save(path / "rgb" / f"{i:05}.png")
        Image.fromarray((depth * 1000).astype(np.uint16)).save(path / "depth" / f"{i:05}.png")
    return path


def seeded(name, seed=0):
    """A network whose normalisations are not the identity, so that folding them is put to the test."""
    generator = torch.Generator().manual_seed(seed)
    network = FastDepth(FAMILY[name]).eval()
    initialise(network, generator)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            with torch.no_grad():
                for tensor, low, high in (
                    (module.weight, 0.7, 1.3),
                    (module.bias, -0.2, 0.3),
                    (module.running_mean, -0.2, 0.2),
                    (module.running_var, 0.6, 1.6),
                ):
                    tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))
    with torch.no_grad():
        network.head.norm.bias.fill_(2.0)
    return network


@pytest.fixture(scope="session")
def pruned():
    return seeded("fastdepth_pruned")


@pytest.fixture(scope="session")
def _onnx_graph(pruned):
    """Its ONNX graph, which torch takes long to trace."""
    with _quietly(), torch.no_grad():
        return onnx.traced(pruned).SerializeToString()


@pytest.fixture(scope="module")
def onnx_once(_onnx_graph):
    """For a module that exports `pruned` alone: its graph is traced once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx, "traced", lambda network: load_model_from_string(_onnx_graph))
        yield


@pytest.fixture(scope="session")
def photo():
    """An image as the network takes it, (3, 224, 224)."""
    return np.random.default_rng(0).random((3, 224, 224), np.float32)


@pytest.fixture(scope="session")
def artifact(pruned, tmp_path_factory):
    """The network compiled for this machine: once, for all processes that pytest-xdist has started."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "artifact" / "host"
    with (base / "artifact.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            build(trace(pruned, 224, 224), host(), folder, {"name": "fastdepth_pruned", "status": "preview"})
    return folder


@pytest.fixture(scope="session")
def commands():
    parent = Commands()
    yield parent
    parent.close()


@pytest.fixture
def zoo(commands, tmp_path):
    """Run the command `zoo` as a user would: (exit code, stdout, stderr)."""

    def run(*words, cwd=tmp_path, **environment):
        return commands.run(words, cwd, os.environ | {"COLUMNS": "100"} | environment)

    return run


def complaint(result):
    """The one line of a failed command; checks that it is one line, without a traceback, with exit code 2."""
    code, _, stderr = result
    lines = stderr.strip().splitlines()
    assert code == 2, stderr
    assert len(lines) == 1, stderr
    assert lines[0].startswith("error: ")
    return lines[0]
