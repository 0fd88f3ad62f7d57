"""PyTorch's compiler, its default backend. Compiling fills its cache; load is a later start, which finds it there."""

import torch

from . import Job, Run
from .eager import NEEDS, files, runner  # noqa: F401

PER_THREADS = True


def prepare(job: Job) -> None:
    load(job)(job.example())


def load(job: Job) -> Run:
    return runner(torch.compile(job.network()))
