"""The arrows between rooms, read off the imports themselves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    p.relative_to(ROOT).with_suffix("") for folder in ("zoo", "kernels") for p in (ROOT / folder).rglob("*.py")
)
COMPOSITION = {
    "zoo.cli",
    "zoo.cli.predict",
    "zoo.cli.pruning",
    "kernels.cli",
    "kernels.cli_log",
    "kernels.cli_tuning",
}  # may import anything inside their functions

# room -> what it may import beside the standard library and its own package's errors
THIRD = {
    *("torch", "tvm", "numpy", "PIL", "rich", "typer", "safetensors", "huggingface_hub", "tflite", "cv2", "xgboost"),
    *("pi_heif", "pyarrow", "ray", "gradio", "trimesh", "onnx", "ai_edge_litert", "flatbuffers"),
    *("fastapi", "starlette", "uvicorn"),
}
ALLOWED = {
    "zoo.variant": set(),
    "zoo.errors": set(),
    "zoo.console": {"rich"},
    "zoo.files": set(),
    "zoo.outputs": set(),
    "zoo.model.layers": {"torch"},
    "zoo.model.encoders.resnet": {"torch", "zoo.model.layers"},
    "zoo.model.encoders": {"torch", "zoo.model.layers", "zoo.model.encoders.resnet", "zoo.variant"},
    "zoo.model.upsample": {"torch", "zoo.model.layers"},
    "zoo.model.decoders": {"torch", "zoo.model.layers", "zoo.model.upsample"},
    "zoo.model.network": {
        "torch",
        "zoo.console",
        "zoo.model.layers",
        "zoo.model.encoders",
        "zoo.model.decoders",
        "zoo.variant",
    },
    "zoo.image": {"numpy", "PIL", "pi_heif", "zoo.files", "zoo.samples"},
    "zoo.samples": {"numpy", "PIL"},
    "zoo.visual.picture": {"numpy", "PIL", "zoo.image", "zoo.files"},
    "zoo.evaluation.metrics": {"numpy"},
    "zoo.inference.sources": {"zoo.files", "zoo.image"},
    "zoo.inference.predictor": {"numpy", "torch", "zoo.image", "zoo.model.network"},
    "zoo.inference.backends": {
        "torch",
        "zoo.weights.checkpoint",
        "zoo.weights.hub",
        "zoo.weights.load",
        "zoo.inference.predictor",
        "kernels.runtime",
    },
    "zoo.inference.batch": {
        "numpy",
        "PIL",
        "pyarrow",
        "zoo.files",
        "zoo.image",
        "zoo.outputs",
        "zoo.inference.backends",
        "zoo.inference.sources",
    },
    "zoo.inference.engines": {"pyarrow", "ray", "zoo.inference.batch"},
    "zoo.visual.scene": {"numpy", "PIL", "trimesh", "zoo.image"},
    "zoo.demo.page": {
        "numpy",
        "PIL",
        "gradio",
        "zoo.data.rooms",
        "zoo.image",
        "zoo.page_server",
        "zoo.visual.picture",
        "zoo.inference.backends",
        "zoo.visual.scene",
        "zoo.uploads",
    },
    "zoo.demo.guard": {"starlette"},
    "zoo.page_server": {"fastapi", "gradio", "starlette", "uvicorn", "zoo.demo.guard", "zoo.uploads"},
    "zoo.uploads": set(),
    "zoo.weights.checkpoint": {"torch", "safetensors", "zoo.files", "zoo.variant", "zoo.model.network"},
    "zoo.importers.folded": {"numpy", "tflite", "onnx", "zoo.files"},
    "zoo.importers": {
        "torch",
        "safetensors",
        "zoo.files",
        "zoo.importers.folded",
        "zoo.importers.legacy",
        "zoo.variant",
        "zoo.model.network",
        "zoo.model.layers",
    },
    "zoo.exporters.tflite": {"ai_edge_litert", "flatbuffers", "numpy", "torch", "zoo.model.network"},
    "zoo.exporters": {
        "ai_edge_litert",
        "numpy",
        "torch",
        "zoo.files",
        "zoo.exporters.tflite",
        "zoo.model.network",
        "zoo.outputs",
    },
    "zoo.importers.legacy": {"torch", "zoo.files", "zoo.importers.unpickle"},
    "zoo.importers.unpickle": {"numpy", "torch", "zoo.files"},
    "zoo.data": {
        "numpy",
        "PIL",
        "torch",
        "h5py",
        "zoo.image",
        "zoo.visual.picture",
        "zoo.files",
        "zoo.data",
        "zoo.training.recipe",
    },
    "zoo.evaluation.evaluate": {"numpy", "torch", "zoo.image", "zoo.evaluation.metrics", "zoo.data.frames"},
    "zoo.prune.widths": {"zoo.variant"},
    "zoo.prune.cost": {"numpy", "zoo.variant", "zoo.prune.widths"},
    "zoo.prune.proposals": {"zoo.variant", "zoo.prune.cost", "zoo.prune.widths"},
    "zoo.prune.surgery": {"torch", "zoo.model.layers", "zoo.model.network", "zoo.variant", "zoo.prune.widths"},
    "zoo.prune.netadapt": {
        "torch",
        "zoo.weights.checkpoint",
        "zoo.data",
        "zoo.evaluation.evaluate",
        "zoo.training.learner",
        "zoo.model.network",
        "zoo.training.recipe",
        "zoo.prune",
    },
    "zoo.training.learner": {
        "torch",
        "zoo.model.layers",
        "zoo.model.network",
        "zoo.training.optimizer",
        "zoo.training.recipe",
        "zoo.training.distributed",
        "zoo.variant",
    },
    "zoo.training.distributed": {"torch"},
    "zoo.training.recipe": {"zoo.files"},
    "zoo.training.optimizer": {"torch"},
    "zoo.weights.hub": {
        "huggingface_hub",
        "zoo.files",
        "zoo.weights.checkpoint",
        "zoo.weights.hub_cache",
        "zoo.variant",
    },
    "zoo.weights.hub_cache": {"huggingface_hub", "zoo.files"},
    "kernels.errors": set(),
    "kernels.workload": set(),
    "kernels.files": set(),
    "kernels.device": {"kernels.files"},
    "kernels.plan": {"numpy", "kernels.workload"},
    "kernels.memory": set(),
    "kernels.extras": set(),
    "kernels.log": {"kernels.device", "kernels.files", "kernels.workload", "kernels.schedule.knobs"},
    "kernels.autotvm": {
        "kernels.device",
        "kernels.log",
        "kernels.schedule.gpu_knobs",
        "kernels.schedule.knobs",
        "kernels.workload",
    },
    "kernels.tune": {"numpy", "xgboost", "kernels.device", "kernels.log", "kernels.schedule.knobs", "kernels.workload"},
    "kernels.peak": {"kernels.device", "kernels.extras"},
    "kernels.bench": {"numpy", "kernels.peak", "kernels.runtime", "kernels.workload"},
    "kernels.lower": {
        "numpy",
        "kernels.algorithm",
        "kernels.device",
        "kernels.log",
        "kernels.memory",
        "kernels.plan",
        "kernels.schedule.knobs",
        "kernels.workload",
    },
    "kernels.source": {"kernels.lower", "kernels.plan"},
    "kernels.remote": {
        "kernels.algorithm",
        "kernels.build",
        "kernels.device",
        "kernels.extras",
        "kernels.log",
        "kernels.lower",
        "kernels.measure",
        "kernels.memory",
        "kernels.plan",
        "kernels.source",
        "kernels.workload",
    },
    "kernels.target": {"tvm", "kernels.device", "kernels.extras"},
    "kernels.rpc": {
        "numpy",
        "tvm",
        "kernels.algorithm",
        "kernels.build",
        "kernels.device",
        "kernels.extras",
        "kernels.lower",
        "kernels.measure",
        "kernels.workload",
    },
    "kernels.boards": {
        "kernels.device",
        "kernels.log",
        "kernels.measure",
        "kernels.remote",
        "kernels.rpc",
        "kernels.workload",
    },
    "kernels.source_cuda": {"kernels.lower", "kernels.ptx", "kernels.source", "kernels.workload"},
    "kernels.ptx": {"tvm", "kernels.algorithm", "kernels.device", "kernels.schedule", "kernels.workload"},
    "kernels.simulate": {
        "numpy",
        "tvm",
        "kernels.algorithm",
        "kernels.device",
        "kernels.lower",
        "kernels.plan",
        "kernels.schedule",
        "kernels.workload",
    },
    "kernels.schedule.knobs": {"kernels.device", "kernels.workload", "kernels.schedule.gpu_knobs"},
    "kernels.schedule.gpu_knobs": {"kernels.device", "kernels.workload"},
    "kernels.reference": {"numpy", "kernels.plan"},
    "kernels.export": {"numpy", "torch", "kernels.plan", "kernels.workload"},
    "kernels.rewrite": {"numpy", "kernels.plan", "kernels.rewrite"},
    "kernels.algorithm": {"numpy", "tvm", "kernels.plan", "kernels.workload", "kernels.algorithm"},
    "kernels.schedule": {"tvm", "kernels.device", "kernels.workload", "kernels.schedule"},
    "kernels.runtime": {"numpy"},
}


def name_of(path):
    parts = path.parts[:-1] if path.name == "__init__" else path.parts
    return ".".join(parts)


def imports(path):
    """Modules a file imports, ours by full name (kernels, not zoo.kernels), others by package."""
    package = list(path.parts[:-1])
    for node in ast.walk(ast.parse((ROOT / path).with_suffix(".py").read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = ".".join(base + (node.module.split(".") if node.module else []))
            for alias in node.names:
                deeper = f"{target}.{alias.name}"
                is_module = (ROOT / deeper.replace(".", "/")).with_suffix(".py").exists()
                yield (
                    deeper.replace("zoo.kernels", "kernels") if is_module else target.replace("zoo.kernels", "kernels")
                )
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def room(module):
    return next((r for r in sorted(ALLOWED, key=len, reverse=True) if module == r or module.startswith(r + ".")), None)


@pytest.mark.parametrize("path", [p for p in FILES if room(name_of(p))], ids=name_of)
def test_rooms_import_only_what_they_may(path):
    allowed = ALLOWED[room(name_of(path))]
    for module in imports(path):
        if module in THIRD or module.startswith(("zoo", "kernels")):
            if module.endswith(".errors"):
                continue
            inside = any(module == a or module.startswith(a + ".") for a in allowed)
            assert inside, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", [p for p in FILES if name_of(p) not in COMPOSITION], ids=name_of)
def test_the_two_packages_meet_only_where_artifacts_are_opened_and_in_the_command_lines(path):
    mine, other = path.parts[0], {"zoo": "kernels", "kernels": "zoo"}[path.parts[0]]
    for module in imports(path):
        assert module != mine, f"{name_of(path)} imports {module} absolutely"
        if module.split(".")[0] == other:
            assert (name_of(path), module) == ("zoo.inference.backends", "kernels.runtime.fastdepth")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_of_one_idea(path):
    assert len((ROOT / path).with_suffix(".py").read_text().splitlines()) <= 250


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["list"], ["torch", "tvm", "numpy", "PIL", "safetensors", "huggingface_hub"]),
        (["list", "--json"], ["torch", "tvm", "numpy"]),
        (["devices"], ["torch", "tvm", "numpy"]),
        (["--help"], ["torch", "tvm", "numpy"]),
    ],
)
def test_light_commands_stay_light(words, absent):
    program = f"""
import sys
sys.argv = {["zoo", *words]!r}
from zoo.cli.app import main
try:
    main()
except SystemExit:
    pass
loaded = [name for name in {absent!r} if name in sys.modules]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_an_artifact_runs_without_torch_and_tvm(artifact, tmp_path):
    program = f"""
import sys
sys.argv = ["zoo", "predict", "--artifact", {str(artifact)!r}, "examples/room.jpg", "-o", {str(tmp_path / "d.png")!r}]
from zoo.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code
assert not [name for name in ("torch", "tvm") if name in sys.modules]
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, cwd=ROOT)
    assert (tmp_path / "d.png").exists()


@pytest.mark.parametrize(
    "words", ["compile --device host -o x", "tune --trials 1 --log x", "bench --artifact ARTIFACT"]
)
def test_without_its_extra_a_command_says_what_to_install(words, artifact, tmp_path):
    """As installed without `compile`: TVM, XGBoost and zig are not there."""
    program = f"""
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("tvm", "xgboost", "ziglang"):
            raise ModuleNotFoundError(name)

import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("tvm", "xgboost", "ziglang") else real(name, *rest)
sys.meta_path.insert(0, Absent())
sys.argv = ["zoo", *{words.replace("ARTIFACT", str(artifact)).split()!r}]
from zoo.cli.app import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: this needs ")
    assert "pip install 'fastdepth-zoo[compile]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
