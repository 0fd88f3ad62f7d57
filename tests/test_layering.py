"""The arrows between rooms, read off the imports themselves."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    p.relative_to(ROOT).with_suffix("") for folder in ("zoo", "kernels") for p in (ROOT / folder).rglob("*.py")
)
# room -> the rooms it may import, beside its own and the errors; the longest matching name counts
ALLOWED = {
    "zoo": {
        "zoo.cli",
        "zoo.inference",
        "zoo.kernels.runtime",
        "zoo.model",
        "zoo.weights",
    },  # what `import zoo` offers, and -m zoo
    "zoo.errors": {"zoo.kernels.errors"},
    "zoo.variant": {
        "zoo.model.architecture",
        "zoo.model.decoders",
        "zoo.model.encoders",
        "zoo.pickling",
    },  # the family a variant is of, without torch
    "zoo.pickling": set(),
    "zoo.files": set(),
    "zoo.outputs": set(),
    "zoo.console": set(),
    "zoo.camera": {"zoo.files", "zoo.pickling"},
    "zoo.image": {"zoo.files", "zoo.samples"},
    "zoo.samples": set(),
    "zoo.model": {"zoo.variant", "zoo.console", "zoo.pickling"},
    "zoo.model.pretrained": {"zoo.model", "zoo.weights"},
    "zoo.weights": {"zoo.variant", "zoo.files", "zoo.image", "zoo.model", "zoo.outputs"},
    "zoo.importers": {"zoo.variant", "zoo.files", "zoo.model"},
    "zoo.exporters": {"zoo.files", "zoo.image", "zoo.outputs", "zoo.model"},
    "zoo.data": {"zoo.files", "zoo.image", "zoo.visual", "zoo.weights", "zoo.training.recipe"},
    "zoo.quantization": {"zoo.variant", "zoo.model"},
    "zoo.training": {"zoo.variant", "zoo.files", "zoo.model", "zoo.weights", "zoo.data", "zoo.evaluation"},
    "zoo.training.recipe": {"zoo.files", "zoo.data.sources", "zoo.training.recipe_v1"},
    "zoo.evaluation": {"zoo.camera", "zoo.image", "zoo.data"},
    "zoo.prune": {"zoo.variant", "zoo.model", "zoo.weights", "zoo.data", "zoo.training", "zoo.evaluation"},
    "zoo.inference": {
        "zoo.files",
        "zoo.outputs",
        "zoo.pickling",
        "zoo.camera",
        "zoo.image",
        "zoo.model",
        "zoo.weights",
        "zoo.visual",
    },
    "zoo.inference.backends": {"zoo.inference", "zoo.weights", "zoo.kernels.runtime"},
    "zoo.visual": {"zoo.camera", "zoo.files", "zoo.image", "zoo.evaluation"},
    "zoo.demo": {"zoo.camera", "zoo.image", "zoo.data", "zoo.visual", "zoo.inference"},
    "zoo.release": {"zoo"},
    "zoo.cli": {"zoo"},
    "zoo.kernels": set(),  # values, then what is derived from a plan, then kinds of machines, then artifacts and the tuner
    "zoo.kernels.device": {"zoo.kernels.files", "zoo.kernels.processor", "zoo.kernels.targets"},
    "zoo.kernels.layout": {"zoo.kernels.ir.workload"},
    "zoo.kernels.instructions": {"zoo.kernels.layout"},
    "zoo.kernels.records": {
        *("zoo.kernels.device", "zoo.kernels.files", "zoo.kernels.ir.workload", "zoo.kernels.processor"),
        *("zoo.kernels.targets", "zoo.kernels.tuning.records_v1", "zoo.kernels.tuning.records_v2"),
    },
    "zoo.kernels.cores": set(),
    "zoo.kernels.processor": {"zoo.kernels.cores", "zoo.kernels.tvm_private"},
    "zoo.kernels.selection": {
        *("zoo.kernels.cores", "zoo.kernels.device", "zoo.kernels.ir.workload", "zoo.kernels.processor"),
        "zoo.kernels.records",
    },
    "zoo.kernels.ir": {"zoo.kernels.dtype", "zoo.kernels.device", "zoo.kernels.layout"},
    "zoo.kernels.algorithm": {"zoo.kernels.dtype", "zoo.kernels.ir", "zoo.kernels.layout"},
    "zoo.kernels.targets": {
        *("zoo.kernels.device", "zoo.kernels.dtype", "zoo.kernels.ir", "zoo.kernels.algorithm", "zoo.kernels.runtime"),
        *("zoo.kernels.bench.peak", "zoo.kernels.extras", "zoo.kernels.processor", "zoo.kernels.tvm_private"),
        *("zoo.kernels.instructions", "zoo.kernels.layout"),
    },
    "zoo.kernels.artifact": {
        *("zoo.kernels.device", "zoo.kernels.extras", "zoo.kernels.ir", "zoo.kernels.layout"),
        *("zoo.kernels.records", "zoo.kernels.selection"),
        *("zoo.kernels.algorithm", "zoo.kernels.dtype", "zoo.kernels.targets", "zoo.kernels.runtime"),
    },
    "zoo.kernels.runtime": set(),
    "zoo.kernels.tuning": {"zoo.kernels"},
    "zoo.kernels.bench": {
        *("zoo.kernels.device", "zoo.kernels.dtype", "zoo.kernels.extras", "zoo.kernels.ir", "zoo.kernels.runtime"),
        "zoo.kernels.targets",
    },
}
# what is heavy or foreign -> the rooms that may name it, as far as any may
THIRD = {
    "torch": {
        "zoo.pickling",
        *("zoo.model", "zoo.weights", "zoo.importers", "zoo.exporters", "zoo.data", "zoo.training", "zoo.evaluation"),
        *("zoo.prune", "zoo.quantization", "zoo.inference", "zoo.release", "zoo.cli", "zoo.kernels.ir.trace"),
    },
    "tvm": {"zoo.kernels.algorithm", "zoo.kernels.targets", "zoo.kernels.tuning", "zoo.kernels.tvm_private"},
    "huggingface_hub": {"zoo.weights.hub", "zoo.weights.hub_cache"},
    "xgboost": {"zoo.kernels.tuning"},
    "gradio": {"zoo.demo"},
    "fastapi": {"zoo.demo.server"},
    "ray": {"zoo.inference.engines"},
    "cv2": {"zoo.inference.films", "zoo.inference.capture"},
    "yaml": {"zoo.camera.files"},
    "typer": {"zoo.cli", "zoo.release"},
    "rich": {"zoo.console"},
}


def name_of(path):
    """A file's module, as it is installed: kernels/ is zoo.kernels."""
    parts = path.parts[:-1] if path.name == "__init__" else path.parts
    return ".".join(("zoo", *parts) if parts[0] == "kernels" else parts)


def imports(path):
    """Modules a file imports: ours by their full names, others by package."""
    own = name_of(path).split(".")
    package = own if path.name == "__init__" else own[:-1]
    modules = {name_of(file) for file in FILES}
    for node in ast.walk(ast.parse((ROOT / path).with_suffix(".py").read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            target = ".".join(
                package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            )
            for alias in node.names:
                deeper = f"{target}.{alias.name}"
                yield deeper if deeper in modules else target
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def inside(module, rooms):
    return any(module == room or module.startswith(room + ".") for room in rooms)


def room(module):
    """The row of a module: the longest room it lies in; `zoo` and `zoo.kernels` hold only the files directly in them."""
    for name in sorted(ALLOWED, key=len, reverse=True):
        if inside(module, {name}) and (name not in ("zoo", "zoo.kernels") or module.count(".") <= name.count(".") + 1):
            return name
    raise AssertionError(f"{module} has no room: give it a row in ALLOWED")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rooms_import_only_what_they_may(path):
    mine = name_of(path)
    own = room(mine)
    for module in imports(path):
        package = module.split(".")[0]
        if package in THIRD:
            assert inside(mine, THIRD[package]), f"{mine} imports {package}"
        elif package == "zoo" and not module.endswith(".errors"):
            assert inside(module, ALLOWED[own] | {own}), f"{mine} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_are_relative(path):
    """Other people's packages are called zoo and kernels too, and torch.hub loads ours under a name of its own."""
    for node in ast.walk(ast.parse((ROOT / path).with_suffix(".py").read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
        assert not [name for name in names if name.split(".")[0] in ("zoo", "kernels")]


def test_targets_do_not_know_each_other():
    for path in FILES:
        kind = re.match(r"zoo\.kernels\.targets\.(\w+)\.", name_of(path) + ".")
        for module in imports(path) if kind else ():
            other = re.match(r"zoo\.kernels\.targets\.(\w+)\.", module + ".")
            assert not other or not (ROOT / f"kernels/targets/{other[1]}").is_dir() or other[1] == kind[1], name_of(
                path
            )


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_of_one_idea(path):
    assert len((ROOT / path).with_suffix(".py").read_text().splitlines()) <= 250


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["list"], ["torch", "tvm", "numpy", "PIL", "safetensors", "huggingface_hub"]),
        (["list", "--json"], ["torch", "tvm", "numpy"]),
        (["devices"], ["torch", "tvm", "numpy"]),
        (["log", "show", "znver4"], ["torch", "tvm", "numpy"]),
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
