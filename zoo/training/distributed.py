"""Training in several processes that torchrun starts: each takes its share of every batch, all take the same step."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import nn


def rank_and_size() -> tuple[int, int]:
    """(the number of this process, how many there are)."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def join(device: torch.device) -> torch.device:
    """Meet the other processes, if there are any; this process's own device."""
    rank, size = rank_and_size()
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank))) if device.type == "cuda" else device


def average_gradients(module: nn.Module) -> None:
    """Replace every gradient by its mean over all processes, in one message."""
    _, size = rank_and_size()
    if size == 1:
        return
    gradients = [weight.grad for weight in module.parameters() if weight.grad is not None]
    message = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(message)
    message /= size
    for gradient, part in zip(gradients, message.split([g.numel() for g in gradients]), strict=True):  # type: ignore[no-untyped-call]
        gradient.copy_(part.view_as(gradient))


def wait() -> None:
    """Until all processes are here."""
    if rank_and_size()[1] > 1:
        dist.barrier()


def leave() -> None:
    """Part from the other processes, if there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()
