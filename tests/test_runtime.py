"""The C runtime under sanitizers, which see races, leaks and stray reads that a right answer would hide."""

import os
import subprocess

import numpy as np
import pytest

from conftest import ROOT
from zoo.kernels.targets.tables import fnv1a

RUNTIME, TARGETS, TESTS = ROOT / "kernels" / "runtime", ROOT / "kernels" / "targets", ROOT / "tests"
SANITIZERS = pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
PARAMETERS = np.array([1, 2, 3, 0], "<f4").tobytes()  # of the toy network: a bias a channel, padded to whole words


def compiled(program, sanitizer, kind, *words):
    """A program made of these sources by a compiler that has the sanitizer; skips where there is none."""
    flags = ["-std=c11", "-O1", "-g", "-D_GNU_SOURCE", "-pthread", f"-I{RUNTIME}", f"-I{TARGETS / kind / 'runtime'}"]
    command = ["cc", *flags, f"-fsanitize={sanitizer}", *map(str, words), "-o", str(program)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no C compiler here")
    if made.returncode and "sanitize" in made.stderr + str(flags) and "cannot find" in made.stderr:
        pytest.skip("this compiler has no sanitizer libraries")
    assert made.returncode == 0, made.stderr
    return program


@SANITIZERS
def test_the_pool_under_a_sanitizer(sanitizer, tmp_path):
    program = compiled(
        tmp_path / "stress", sanitizer, "cpu", TESTS / "pool_stress.c", TARGETS / "cpu" / "runtime" / "pool.c"
    )
    done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "every task ran once\n"), done.stderr[-3000:]


@SANITIZERS
@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_a_handle_under_a_sanitizer(kind, sanitizer, tmp_path):
    """Threads that share it, forks, networks destroyed twice or in use: right depths or errors, as fastdepth.h says."""
    sources = [
        TESTS / "handle_stress.c",
        TESTS / f"toy_{kind}.c",
        *RUNTIME.glob("*.c"),
        *(TARGETS / kind / "runtime").glob("*.c"),
    ]
    if kind == "cuda":
        driver = compiled(
            tmp_path / "libcuda.so.1",
            sanitizer,
            kind,
            "-shared",
            "-fPIC",
            "-Wl,-soname,libcuda.so.1",
            TESTS / "fake_cuda.c",
        )
        sources += [driver, "-ldl"]
    program = compiled(
        tmp_path / "stress", sanitizer, kind, f"-DHASH=UINT64_C({fnv1a(PARAMETERS)})", f"-I{TESTS}", *sources
    )
    other = PARAMETERS[4:] + PARAMETERS[:4]
    files = {"right": PARAMETERS, "short": PARAMETERS[:8], "long": PARAMETERS * 2, "other": other}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run(
        [program], capture_output=True, text=True, timeout=300, check=False, env=environment, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "every promise was kept\n"), done.stderr[-3000:]


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_the_sources_are_portable_c11_without_warnings(kind, tmp_path):
    try:
        shared = {*RUNTIME.rglob("*.c")} - (
            {*RUNTIME.glob("timer/*.c")} if kind == "cuda" else set()
        )  # it times processors
        for source in sorted({*shared, *(TARGETS / kind / "runtime").glob("*.c")}):
            command = [
                "cc",
                "-std=c11",
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
                "-D_GNU_SOURCE",
                f"-I{RUNTIME}",
                f"-I{TARGETS / kind / 'runtime'}",
                "-c",
                str(source),
            ]
            done = subprocess.run([*command, "-o", str(tmp_path / "o")], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    except FileNotFoundError:
        pytest.skip("no C compiler here")
