"""What people would run a network with: one file per runtime, each with the same things.

NEEDS       distributions that must be installed, the one that runs first (their versions are recorded)
DTYPE       what it computes in, where that is not float32
PER_THREADS is there where what it prepares depends on the number of threads
ONE_THREAD  is there where it uses one thread, whatever it is given
prepare     (job) -> None: exports or compiles into job.folder, once, untimed; or None
load        (job) -> run: everything up to a callable (3, H, W) float32 -> (H, W) metres
files       (job) -> what has to be shipped for it to run, besides the runtime itself
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
NAMES = {
    "zoo": "zoo",
    "zoo-int8": "zoo_int8",
    "eager": "eager",
    "channels-last": "channels_last",
    "torch-compile": "torch_compile",
    "onnxruntime": "onnxruntime",
    "openvino-f32": "openvino_f32",
    "openvino-default": "openvino_default",
    "onnxruntime-int8": "onnxruntime_int8",
    "openvino-int8": "openvino_int8",
    "ncnn": "ncnn",
    "litert": "litert",
    "tvm-default": "tvm_default",
}


@dataclass(frozen=True)
class Job:
    """A model to be run on so many threads, with a folder for what its runtimes make of it."""

    model: str
    device: str
    threads: int
    folder: Path

    def network(self) -> Any:
        """The torch network, on this job's threads."""
        import torch

        import zoo

        torch.set_num_threads(self.threads)
        return zoo.load(self.model)

    def depth(self, runtime: str) -> Path:
        """Where a runtime leaves what it computed from the example."""
        return self.folder / f"{runtime}-{self.model}-{self.threads}.npy"

    def example(self) -> NDArray[np.float32]:
        """What everything is timed on."""
        return example()


def example() -> NDArray[np.float32]:
    """A picture: (3, 224, 224) of noise; no runtime's time depends on what is in it."""
    return np.random.default_rng(0).random((3, 224, 224), np.float32)


def find(name: str) -> ModuleType:
    """The module of a runtime. It imports the runtime only when asked to prepare or load."""
    return importlib.import_module(f"{__name__}.{NAMES[name]}")


def versions(module: ModuleType) -> dict[str, str] | None:
    """Versions of what a runtime needs, or None where something is not installed."""
    try:
        return {name: importlib.metadata.version(name) for name in module.NEEDS}
    except importlib.metadata.PackageNotFoundError:
        return None
