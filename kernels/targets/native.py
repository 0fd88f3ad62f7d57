"""Machines that load shared libraries: C compiled and linked for any of them, on any of them, with zig."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..device import Device
from ..errors import KernelError
from ..runtime.fastdepth import LIBRARY

RUNTIME = Path(__file__).parent.parent / "runtime"
PROGRAM = "fastdepth"
HEADER, TWIN, CUDA_HEADER = "fastdepth.h", "fastdepth.py", "fastdepth_cuda.h"
EXPORTS = "{ global: fastdepth_*; local: *; };\n"


def runtime_of(device: Device) -> Path:
    """The folder with the runtime of a kind of machine."""
    return Path(__file__).parent / device.kind / "runtime"


def compile_c(device: Device, words: Sequence[str | Path]) -> None:
    """Compile C and link. Raises KernelError."""
    command = [sys.executable, "-m", "ziglang", "cc", "-target", device.zig_target, "-std=c11", "-O2"]
    command += ["-D_GNU_SOURCE", f"-I{RUNTIME}", f"-I{runtime_of(device)}", "-pthread", "-s", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"linking for {device.name} failed: {done.stderr.strip()[-800:]}")


def package(
    device: Device,
    sources: Sequence[Path],
    work: Path,
    made: Path,
    headers: Sequence[str],
    libraries: Sequence[str] = (),
) -> None:
    """The library of these sources and the runtime, a program of the same parts, which needs no library that could be cut,
    headers and the Python twin."""
    exports = work / "exports.map"
    exports.write_text(EXPORTS)
    paths = (*sources, *runtime_of(device).glob("*.c"), *RUNTIME.glob("*.c"))
    # Once loaded it stays (nodelete): its threads and what it does at a fork outlive a dlclose.
    shared = ["-fPIC", "-shared", f"-Wl,--version-script={exports}", "-Wl,-z,nodelete"]
    compile_c(device, [*shared, *paths, *libraries, "-o", made / LIBRARY])
    compile_c(device, [RUNTIME / "program" / "main.c", *paths, *libraries, "-lm", "-o", made / PROGRAM])
    for name in (*headers, TWIN):
        shutil.copyfile(RUNTIME / name, made / name)
