"""What several runtimes read: the network as ONNX."""

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import Job


def path(job: Job) -> Path:
    return job.folder / f"{job.model}.onnx"


def export(job: Job) -> None:
    if not path(job).exists():
        write(job.network(), job.example(), path(job))


def write(network: Any, image: NDArray[np.float32], path: Path) -> None:
    """Export a torch network that takes (1, 3, H, W), quietly."""
    import torch

    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        example = torch.from_numpy(image)[None]
        torch.onnx.export(network, (example,), str(path), dynamo=True, verbose=False, external_data=False)
