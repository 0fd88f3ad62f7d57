"""An artifact of another machine, through its own program under QEMU."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ...device import Device
from ...dtype import F32
from ...errors import KernelError
from ...ir.plan import Array
from ..native import PROGRAM


def emulate(folder: Path, device: Device, emulator: str, image: Array) -> Array | None:
    """The depth of an image that holds whole 255ths; None where there is no emulator. Raises KernelError if it fails."""
    qemu, libraries = shutil.which(emulator), Path(f"/usr/{device.arch}-linux-gnu")
    if qemu is None or not libraries.is_dir():
        return None
    pixels = np.rint(image * 255).astype(np.uint8).transpose(1, 2, 0)
    with tempfile.TemporaryDirectory() as scratch:
        photo, depth = Path(scratch) / "photo.ppm", Path(scratch) / "depth.pfm"
        photo.write_bytes(b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())
        command = [qemu, "-L", libraries, folder.absolute() / PROGRAM, photo, "-o", depth]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise KernelError(f"{folder}: failed under {qemu}: {done.stderr.strip()[-300:]}")
        return read_pfm(depth)


def read_pfm(path: Path) -> Array:
    """A portable float map of one channel: (H, W)."""
    _, size, _, values = path.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(values, F32.numpy).reshape(height, width)[::-1]
