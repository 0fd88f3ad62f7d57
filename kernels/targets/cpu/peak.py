"""What a processor can do at most, measured by a program of our own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from ...bench.peak import Peak
from ...device import Device
from ...errors import KernelError
from ...extras import require

SOURCE = Path(__file__).parent / "peak.c"
REGISTERS = {"x86_64": "x", "aarch64": "w"}  # the assembler's letter for vector registers
MOST_THREADS = 64


def measure(device: Device, threads: int) -> Peak:
    """Measure this machine as such a device, in about a second. Raises KernelError."""
    require("ziglang")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "peak"
        command = [sys.executable, "-m", "ziglang", "cc", "-target", device.zig_target, "-O3", "-ffp-contract=fast"]
        command += ["-pthread", "-D_GNU_SOURCE", f"-mcpu={str(device.target['mcpu']).replace('-', '_')}"]
        command += [f"-DLANES={device.simd_lanes}", f'-DREGISTER="{REGISTERS[device.arch]}"']
        command += [str(SOURCE), "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KernelError(f"the peak program does not compile for {device.name}: {done.stderr.strip()[-300:]}")
        run = subprocess.run([program, str(min(threads, MOST_THREADS))], capture_output=True, text=True, check=False)
    if run.returncode:
        raise KernelError(f"the peak program failed on this machine (exit code {run.returncode})")
    gmacs, gbytes = map(float, run.stdout.split())
    return Peak(threads, gmacs, gbytes)
