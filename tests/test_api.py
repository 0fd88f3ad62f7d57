"""The names that `import zoo` gives."""

import subprocess
import sys
import tomllib

import pytest
import torch

import zoo
from conftest import ROOT
from zoo.kernels.errors import KernelError
from zoo.kernels.runtime.fastdepth import ArtifactError
from zoo.weights import checkpoint


def test_one_class_however_it_is_loaded(tmp_path):
    found = zoo.load("fastdepth_pruned")
    found.save_pretrained(tmp_path / "own")
    for network in (found, zoo.load(str(tmp_path / "own")), zoo.FastDepth.from_pretrained(tmp_path / "own")):
        assert type(network) is zoo.FastDepth
        assert not network.training
    again = torch.hub.load(str(ROOT), "fastdepth_pruned", source="local", verbose=False)
    assert type(again) is zoo.FastDepth  # of this very folder
    again.save_pretrained(tmp_path / "hub")
    assert checkpoint.digest(tmp_path / "hub" / checkpoint.WEIGHTS) == checkpoint.digest(
        tmp_path / "own" / checkpoint.WEIGHTS
    )
    assert callable(again.push_to_hub)


def test_one_exception_is_all_that_a_user_catches(tmp_path):
    assert issubclass(KernelError, zoo.ZooError)
    assert issubclass(ArtifactError, zoo.ZooError)
    for wrong in (
        lambda: zoo.load("none"),
        lambda: zoo.CompiledDepth(tmp_path),
        lambda: zoo.FastDepth.from_pretrained("none"),
        lambda: zoo.Predictor(zoo.load(pretrained=False))("none.jpg"),
    ):
        with pytest.raises(zoo.ZooError) as caught:
            wrong()
        assert "\n" not in str(caught.value)


def test_a_compiled_network_is_taken_by_a_predictor(artifact):
    import numpy as np

    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    with zoo.CompiledDepth(artifact) as compiled:
        depth = zoo.Predictor(compiled)(picture)
    assert (depth.shape, depth.dtype) == ((48, 64), np.float32)


def test_the_package_says_what_it_is():
    assert (ROOT / "zoo" / "py.typed").exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "zoo.__version__"
    for name in zoo.__all__:
        assert getattr(zoo, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        zoo.nothing  # noqa: B018


def test_importing_it_is_quick():
    heavy = ["torch", "numpy", "PIL", "tvm", "huggingface_hub"]
    program = f"import sys, zoo; zoo.__version__; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_nothing_of_the_process_is_set_behind_its_back(monkeypatch, tmp_path):
    from importlib import import_module

    from zoo.weights import hub

    tqdm = import_module("huggingface_hub.utils.tqdm")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for disabled in (False, True):
        (tqdm.disable_progress_bars if disabled else tqdm.enable_progress_bars)()
        for progress in (False, True):
            with pytest.raises(zoo.ZooError):
                hub.download("nobody/nothing", "x", "main", tmp_path, True, progress)
            assert tqdm.are_progress_bars_disabled() == disabled
    tqdm.enable_progress_bars()
