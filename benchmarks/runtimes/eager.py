"""PyTorch as it comes: what `torch.hub.load` gives."""

from pathlib import Path

import torch

from . import Job, Run

NEEDS = ("torch",)
prepare = None


def load(job: Job) -> Run:
    return runner(job.network())


def runner(network: torch.nn.Module, memory_format: torch.memory_format = torch.contiguous_format) -> Run:
    @torch.inference_mode()
    def run(image):
        batch = torch.from_numpy(image)[None].to(memory_format=memory_format)
        return network(batch)[0, 0].numpy()

    return run


def files(job: Job) -> list[Path]:
    from zoo.variant import variant
    from zoo.weights.hub import resolve

    return [resolve(variant(job.model))]
