"""What a machine can do at most, measured by a program of our own: the yardstick for every kernel."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..device import Device
from ..errors import KernelError
from ..extras import require

SOURCE = Path(__file__).parent / "peak.c"
REGISTERS = {"x86_64": "x", "aarch64": "w"}  # the assembler's letter for vector registers
MOST_THREADS = 64


@dataclass(frozen=True)
class Peak:
    """float32 multiply-accumulates in registers, and bytes copied through memory, with so many threads."""

    threads: int
    gmacs: float  # 1e9 multiply-accumulates per second
    gbytes: float  # 1e9 bytes per second, read and written


def peak(device: Device, threads: int) -> Peak:
    """Measure this machine as a device of that kind. Takes about a second. Raises KernelError."""
    require("ziglang")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "peak"
        command = [
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            "-target",
            device.linker,
            "-O3",
            "-ffp-contract=fast",
            "-pthread",
        ]
        command += [f"-mcpu={str(device.target['mcpu']).replace('-', '_')}", f"-DLANES={device.lanes}"]
        command += [f'-DREGISTER="{REGISTERS[device.machine]}"', "-D_GNU_SOURCE", str(SOURCE), "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KernelError(f"the peak program does not compile for {device.name}: {done.stderr.strip()[-300:]}")
        run = subprocess.run([program, str(min(threads, MOST_THREADS))], capture_output=True, text=True, check=False)
    if run.returncode:
        raise KernelError(f"the peak program failed on this machine (exit code {run.returncode})")
    gmacs, gbytes = map(float, run.stdout.split())
    return Peak(threads, gmacs, gbytes)
