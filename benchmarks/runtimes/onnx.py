"""What several runtimes read: the network as ONNX."""

import contextlib
import io
import logging
import warnings
from pathlib import Path

from . import Job


def path(job: Job) -> Path:
    return job.folder / f"{job.model}.onnx"


def export(job: Job) -> None:
    import torch

    if path(job).exists():
        return
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        example = torch.from_numpy(job.example())[None]
        torch.onnx.export(job.network(), (example,), str(path(job)), dynamo=True, verbose=False, external_data=False)
