"""Whether an artifact computes what the network computes, and if not, the first step where they part."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..device import Device
from ..dtype import DType
from ..errors import KernelError
from ..ir.plan import Array, Plan
from ..ir.reference import interpret
from ..ir.rewrite import rewrite
from ..records import tuned
from ..runtime.fastdepth import MANIFEST, FastDepth
from .lower import lower

RUNS = 15
Tick = Callable[[str, int, int], None]
Run = Callable[[Array], Array]  # (3, H, W) in [0, 1] -> (H, W) metres


@dataclass(frozen=True)
class Report:
    """Largest absolute difference in metres, and median milliseconds of both, run in turn on one thread."""

    error: float
    eager_ms: float
    compiled_ms: float


def verify(folder: Path, plan: Plan, eager: Run) -> Report:
    """Run both on one random image. Raises KernelError naming the first step that differs where the depths do."""
    with FastDepth(folder, 1) as compiled:
        image = np.random.default_rng(0).random((3, compiled.height, compiled.width), np.float32)
        error = float(np.abs(compiled(image) - eager(image)).max())
        if not error <= plan.dtype.tolerance:
            raise KernelError(f"{folder}: {_first_divergence(compiled, plan, image)}")
        pairs = [(_milliseconds(eager, image), _milliseconds(compiled, image)) for _ in range(RUNS)]
    return Report(error, *(float(np.median(times)) for times in zip(*pairs, strict=True)))


def emulate(folder: Path, machine: str, eager: Run) -> float | None:
    """The same difference for an artifact of another machine, through its program under qemu; None where there is no
    qemu. Says nothing of speed. Raises KernelError if it fails or differs."""
    qemu, libraries = shutil.which(f"qemu-{machine}-static"), Path(f"/usr/{machine}-linux-gnu")
    if qemu is None or not libraries.is_dir():
        return None
    manifest = json.loads((folder / MANIFEST).read_text())
    _, height, width = manifest["input"]
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as scratch:
        photo, depth = Path(scratch) / "photo.ppm", Path(scratch) / "depth.pfm"
        photo.write_bytes(b"P6 %d %d 255\n" % (width, height) + pixels.tobytes())
        command = [qemu, "-L", libraries, folder.absolute() / "fastdepth", photo, "-o", depth]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise KernelError(f"{folder}: failed under {qemu}: {done.stderr.strip()[-300:]}")
        found = read_pfm(depth)
    image: Array = np.divide(pixels.transpose(2, 0, 1), 255, dtype=np.float32)
    error = float(np.abs(np.subtract(found, eager(image))).max())
    if not error <= DType.parse(manifest["dtype"]).tolerance:
        raise KernelError(f"{folder}: under {qemu}, compiled and eager differ by {error:.1e} m")
    return error


def simulated(plan: Plan, device: Device, eager: Run, tick: Tick) -> float:
    """The same difference for kernels of a graphics processor that is not here, their threads run one after another on
    this processor. Raises KernelError if they differ."""
    from ..targets.cuda.check import run

    program = lower(rewrite(plan, device.lanes), device, tuned(device))
    shape = program.plan.shapes()[program.plan.input]
    image = np.random.default_rng(0).random(shape, np.float32)
    error = float(np.abs(run(program, image, tick) - eager(image)).max())
    if not error <= plan.dtype.tolerance:
        raise KernelError(f"{device.name}: kernels and eager differ by {error:.1e} m")
    return error


def read_pfm(path: Path) -> Array:
    """A portable float map of one channel: (H, W)."""
    _, size, _, values = path.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(values, "<f4").reshape(height, width)[::-1]


def _milliseconds(run: Run, image: Array) -> float:
    began = time.perf_counter()
    run(image)
    return (time.perf_counter() - began) * 1e3


def _first_divergence(compiled: FastDepth, plan: Plan, image: Array) -> str:
    plan = rewrite(plan, compiled.manifest["lanes"])
    expected = interpret(plan, image)
    _, found = compiled.observe(image)
    for step in plan.steps:
        worst = float(np.abs(found[step.result] - expected[step.result]).max())
        if not worst <= plan.dtype.tolerance:
            return f"compiled and eager part at {step.name} ({step.workload}) by {worst:.1e}"
    return "compiled and eager differ, though every step agrees with its reference"
