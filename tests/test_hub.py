"""torch.hub as its users meet it: a folder, a GitHub clone in the cache, strangers called zoo and kernels, two versions."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from conftest import ROOT

IGNORED = shutil.ignore_patterns(".*", "build", "__pycache__", "*.egg-info", "tests")


def python(program, cwd, **environment):
    """Run a program outside the repository, so that only what torch.hub puts on the path is there."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=cwd,
        env={**os.environ, **{key: str(value) for key, value in environment.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A $TORCH_HOME in which two versions of the repository lie as torch.hub would have cloned them."""
    home = tmp_path_factory.mktemp("torch")
    for ref in ("v1", "v2"):
        shutil.copytree(ROOT, home / "hub" / f"owner_repo_{ref}", ignore=IGNORED)
    config = home / "hub" / "owner_repo_v2" / "zoo" / "variants" / "fastdepth.toml"
    config.write_text(config.read_text().replace("summary = ", 'summary = "second version: " # '))
    (home / "hub" / "trusted_list").write_text("owner_repo\n")
    return home


def test_from_a_folder(tmp_path):
    python(
        f"""
        import torch
        network = torch.hub.load({str(ROOT)!r}, "fastdepth_pruned", source="local")
        x = torch.hub.load({str(ROOT)!r}, "transforms", source="local")({str(ROOT / "examples" / "room.jpg")!r})
        depth = network(x)
        assert x.shape == (1, 3, 224, 224) and not network.training
        assert depth.shape == (1, 1, 224, 224) and (depth >= 0).all()
        whole = torch.hub.load({str(ROOT)!r}, "transforms", source="local", crop=False)
        assert not torch.equal(whole({str(ROOT / "examples" / "room.jpg")!r}), x)
        """,
        tmp_path,
    )


def test_from_github_s_clone(cache, tmp_path):
    out = python(
        """
        import torch
        network = torch.hub.load("owner/repo:v1", "fastdepth", trust_repo=True)
        assert sum(p.numel() for p in network.parameters()) > 3_900_000
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)
        print(sorted(torch.hub.list("owner/repo:v1", trust_repo=True)))
        print(torch.hub.help("owner/repo:v1", "fastdepth_pruned", trust_repo=True))
        """,
        tmp_path,
        TORCH_HOME=cache,
    )
    assert (
        "['fastdepth', 'fastdepth_lite', 'fastdepth_netadapt', 'fastdepth_pruned', 'fastdepth_pruned_int8', 'transforms']"
        in out
    )
    for promise in ("metres", "[0, 1]", "MIT", "multiples of 32"):
        assert promise in out


def test_every_variant_of_the_catalogue_is_an_entry_point(tmp_path):
    python(
        f"""
        import inspect
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        import hubconf
        entries = {{name for name, entry in vars(hubconf).items() if inspect.isfunction(entry) and name[0] != "_"}}
        catalogue = hubconf._zoo("variant").catalogue
        whole = {{v.name for v in catalogue(quantized=True)}}
        assert {{v.name for v in catalogue()}} | whole | {{"transforms"}} == entries
        for name in entries - {{"transforms"}}:
            assert getattr(hubconf, name)(pretrained=name in whole).variant.name == name
            assert inspect.signature(getattr(hubconf, name)) == inspect.signature(hubconf.fastdepth)
        """,
        tmp_path,
    )


def test_beside_strangers_of_the_same_names(cache, tmp_path):
    for name in ("zoo", "kernels"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"stranger = {name!r}\n")
    python(
        """
        import sys
        import zoo, kernels
        assert zoo.stranger == "zoo" and kernels.stranger == "kernels", (zoo, kernels)
        import torch
        network = torch.hub.load("owner/repo:v1", "fastdepth_pruned", trust_repo=True)
        assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 1, 32, 32)
        assert sys.modules["zoo"] is zoo and sys.modules["kernels"] is kernels
        assert not [name for name in sys.modules if name.split(".")[0] == "tvm"]
        """,
        tmp_path,
        TORCH_HOME=cache,
        PYTHONPATH=tmp_path,
    )


def test_two_versions_in_one_process(cache, tmp_path):
    python(
        """
        import torch
        one = torch.hub.load("owner/repo:v1", "fastdepth", trust_repo=True, pretrained=False)
        two = torch.hub.load("owner/repo:v2", "fastdepth", trust_repo=True, pretrained=False)
        assert "second version" in two.variant.summary and "second version" not in one.variant.summary
        assert type(one) is not type(two)
        """,
        tmp_path,
        TORCH_HOME=cache,
    )


def test_a_broken_clone_fails_and_can_be_tried_again(cache, tmp_path):
    python(
        """
        import os, pathlib, sys, torch
        init = pathlib.Path(os.environ["TORCH_HOME"], "hub", "owner_repo_v2", "zoo", "__init__.py")
        right = init.read_text()
        init.write_text("raise RuntimeError('half a clone')")
        try:
            torch.hub.load("owner/repo:v2", "fastdepth", trust_repo=True, pretrained=False)
            raise SystemExit("should have failed")
        except RuntimeError as error:
            assert "half a clone" in str(error)
        assert not [name for name in sys.modules if name.startswith("_fastdepth_zoo")]
        init.write_text(right)
        torch.hub.load("owner/repo:v2", "fastdepth", trust_repo=True, pretrained=False)
        """,
        tmp_path,
        TORCH_HOME=cache,
        PYTHONDONTWRITEBYTECODE=1,
    )


UNPLUGGED = """
        import socket, sys
        def gone(event, arguments):
            if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
                raise OSError(f"the network is unplugged: {event} {arguments[1:]}")
        sys.addaudithook(gone)
"""


def test_right_after_a_clone_with_the_network_unplugged(tmp_path):
    """Where the system lets us, in a network namespace of its own, which has no network at all; the hook is for elsewhere."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    alone = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        alone = []
    program = (
        UNPLUGGED
        + """
        import torch
        network = torch.hub.load(".", "fastdepth_pruned", source="local")
        assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 1, 32, 32)
        sys.argv = ["zoo", "pull", "fastdepth_pruned", "--to", "pulled"]
        from zoo.cli.app import main
        import zoo
        assert zoo.__file__.startswith(sys.argv_clone), zoo.__file__
        main()
        """
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "ZOO_"))}
    environment |= {"HF_HOME": str(tmp_path / "hf"), "TORCH_HOME": str(tmp_path / "torch")}
    program = textwrap.dedent(program).replace("sys.argv_clone", repr(str(tmp_path / "clone")))
    done = subprocess.run(
        [*alone, sys.executable, "-c", program],
        cwd=tmp_path / "clone",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    committed = tmp_path / "clone" / "zoo" / "checkpoints" / "fastdepth_pruned"
    for path in committed.iterdir():
        assert (tmp_path / "clone" / "pulled" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("words", ['"fastdepth", nonsense=1', '"fastdepth", True, "cpu"'])
def test_unknown_arguments_are_type_errors(words, tmp_path):
    python(
        f"""
        import torch
        try:
            torch.hub.load({str(ROOT)!r}, {words}, source="local")
        except TypeError:
            pass
        else:
            raise SystemExit("no TypeError")
        """,
        tmp_path,
    )


def test_every_argument_changes_something(tmp_path, pruned):
    from zoo.weights import checkpoint

    checkpoint.save(pruned, tmp_path / "own")
    python(
        f"""
        import torch
        load = lambda **given: torch.hub.load({str(ROOT)!r}, "fastdepth_pruned", source="local", **given)
        bundled, own = load(), load(weights={str(tmp_path / "own")!r})
        assert not torch.equal(bundled.head.conv.weight, own.head.conv.weight)
        assert load(device="meta").head.conv.weight.device.type == "meta"
        for given in ({{"weights": "none.safetensors"}}, {{"revision": "0" * 40}}, {{"revision": "x", "cache_dir": "."}}):
            try:
                load(**given)
            except Exception as error:
                assert type(error).__name__ == "ZooError", error
            else:
                raise SystemExit(f"{{given}} ignored")
        """,
        tmp_path,
    )


def test_a_wheel_holds_everything(tmp_path):
    """Installed from a wheel: the variants, the weights, the devices, the runtime's sources, and zoo.kernels."""
    import zipfile

    source = shutil.copytree(ROOT, tmp_path / "source", ignore=IGNORED)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "-w",
        tmp_path,
        source,
    ]
    subprocess.run([str(word) for word in command], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "zoo/variants/fastdepth.toml",
        "zoo/checkpoints/fastdepth_pruned/model.safetensors",
        "zoo/checkpoints/fastdepth/README.md",
        "zoo/kernels/cores.toml",
        "zoo/kernels/devices/x86-64-v4.toml",
        "zoo/kernels/runtime/report/main.c",
        "zoo/kernels/tuning/logs/znver4.jsonl",
        "zoo/kernels/targets/cpu/runtime/engine.c",
        "zoo/kernels/targets/cuda/runtime/engine.c",
        "zoo/kernels/runtime/timer/main.c",
        "zoo/variants/study/fastdepth_dense.toml",
        "zoo/kernels/runtime/fastdepth.h",
        "zoo/kernels/targets/simd_schedule.py",
        "zoo/kernels/targets/wasm/runtime/fastdepth.c",
        "zoo/kernels/targets/wasm/web/index.html",
    ):
        assert name in names
    assert not [name for name in names if name.startswith("kernels/")]
