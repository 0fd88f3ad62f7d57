"""PyTorch's compiler, its default backend; load includes compiling."""

import torch

from . import Job, Run
from .eager import NEEDS, files, prepare, runner  # noqa: F401


def load(job: Job) -> Run:
    return runner(torch.compile(job.network()))
