"""An artifact through its own JavaScript, in Node."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ...dtype import F32
from ...errors import KernelError
from ...ir.plan import Array

CHECK = Path(__file__).parent / "check.mjs"
SECONDS = 120


def run(folder: Path, node: str, image: Array) -> tuple[Array, str] | None:
    """((n, H, W) depths of an image, by each of the n modules that this Node can run; which those are); None where there is
    no Node. Raises KernelError if it fails."""
    found = shutil.which(node)
    if found is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        given, made = Path(scratch) / "image", Path(scratch) / "depths"
        given.write_bytes(np.ascontiguousarray(image, F32.numpy).tobytes())
        command = [found, str(CHECK), str(folder.absolute()), str(given), str(made)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise KernelError(f"{folder}: no depth from {found} within {SECONDS} s") from None
        if done.returncode:
            raise KernelError(f"{folder}: failed in {found}: {done.stderr.strip()[-300:]}")
        depths = np.frombuffer(made.read_bytes(), F32.numpy).reshape(-1, *image.shape[1:])
    return depths, f"in {done.stdout.strip()}"
