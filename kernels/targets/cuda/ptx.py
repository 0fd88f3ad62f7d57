"""Workloads -> PTX, the assembly that NVIDIA's driver compiles for whichever GPU it finds."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...device import Device
from ...errors import KernelError
from ...ir.workload import Workload
from ...tvm_private import device_function, ptx_of
from .. import scheduled
from ..base import Knobs

NAMES = ("x", "k", "b", "skip", "result")  # of a computation's operands, in a step's order, less a missing skip
USAGE = re.compile(r"(\d+) bytes spill stores|Used (\d+) registers|(\d+) bytes smem")


@dataclass(frozen=True)
class Kernel:
    """One workload, lowered to what runs on the GPU; the operands it takes, in its own order; blocks, and threads of a
    block, along x, y, z."""

    symbol: str
    function: Any
    operands: tuple[str, ...]
    blocks: tuple[int, int, int]
    threads: tuple[int, int, int]


@dataclass(frozen=True)
class Usage:
    """What the assembler gave a kernel."""

    registers: int
    shared_bytes: int
    spilled_bytes: int


def kernel(w: Workload, device: Device, knobs: Knobs, symbol: str) -> Kernel:
    """Schedule and compile one workload."""
    from .schedule import launch

    sch = scheduled(w, device, knobs, symbol)
    blocks, threads = launch(sch)
    function = device_function(sch.mod, device.target)
    operands = tuple(parameter.name.removesuffix("_ptr") for parameter in function.params)
    if not set(operands) <= set(NAMES):
        raise KernelError(f"{w}: the kernel takes {operands}, which are not the computation's operands")
    return Kernel(str(function.attrs["global_symbol"]), function, operands, blocks, threads)


def together(kernels: Sequence[Kernel], device: Device) -> str:
    """One PTX module of them all."""
    return ptx_of({kernel.symbol: kernel.function for kernel in kernels}, device.target)


def assemble(ptx: str, arch: str) -> dict[str, Usage] | None:
    """What ptxas gives every kernel; None where there is no ptxas that knows it. Raises KernelError if it refuses."""
    ptxas = _bundled_ptxas() or shutil.which("ptxas")
    if ptxas is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "network.ptx"
        source.write_text(ptx)
        command = [ptxas, "-v", f"-arch={arch}", str(source), "-o", str(Path(scratch) / "network.cubin")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "is not defined for option 'gpu-name'" in done.stderr:
        return None  # it is of another time than the GPU
    if done.returncode:
        raise KernelError(f"ptxas refuses the kernels for {arch}: {done.stderr.strip()[:500]}")
    found: dict[str, Usage] = {}
    for part in done.stderr.split("Compiling entry function '")[1:]:
        spilled, registers, shared = 0, 0, 0
        for match in USAGE.finditer(part):
            spilled, registers, shared = (
                int(new) if new else old for new, old in zip(match.groups(), (spilled, registers, shared), strict=True)
            )
        found[part.partition("'")[0]] = Usage(registers, shared, spilled)
    return found


def _bundled_ptxas() -> str | None:
    """The one of the package nvidia-cuda-nvcc-cu12."""
    try:
        found = find_spec("nvidia.cuda_nvcc")
    except ModuleNotFoundError:
        return None
    places = found.submodule_search_locations if found else None
    path = Path(next(iter(places))) / "bin" / "ptxas" if places else None
    return str(path) if path and path.is_file() else None
