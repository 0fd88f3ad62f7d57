"""The C runtime under sanitizers, which see races, leaks and stray reads that a right answer would hide."""

import subprocess

import pytest

from conftest import ROOT

RUNTIME = ROOT / "kernels" / "runtime"


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_the_pool_under_a_sanitizer(sanitizer, tmp_path):
    program = tmp_path / "stress"
    sources = [str(ROOT / "tests" / "pool_stress.c"), str(RUNTIME / "cpu" / "pool.c")]
    flags = ["-std=c11", "-O1", "-g", "-D_GNU_SOURCE", "-pthread", f"-I{RUNTIME / 'cpu'}", f"-fsanitize={sanitizer}"]
    try:
        made = subprocess.run(["cc", *flags, *sources, "-o", str(program)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no C compiler here")
    if made.returncode and "sanitize" in made.stderr + str(flags) and "cannot find" in made.stderr:
        pytest.skip("this compiler has no sanitizer libraries")
    assert made.returncode == 0, made.stderr
    done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "every task ran once\n"), done.stderr[-3000:]


def test_the_sources_are_portable_c11_without_warnings(tmp_path):
    try:
        for source in sorted(RUNTIME.rglob("*.c")):
            command = [
                "cc",
                "-std=c11",
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
                "-D_GNU_SOURCE",
                f"-I{RUNTIME}",
                f"-I{RUNTIME / 'cpu'}",
                "-c",
                str(source),
            ]
            done = subprocess.run([*command, "-o", str(tmp_path / "o")], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    except FileNotFoundError:
        pytest.skip("no C compiler here")
