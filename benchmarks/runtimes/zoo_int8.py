"""This project's own in integers: the variant that `zoo quantize` made of the network, where there is one."""

from dataclasses import replace
from pathlib import Path

from . import Job, Run, zoo

NEEDS, DTYPE = zoo.NEEDS, "int8"


def whole(job: Job) -> Job:
    """The job of the network in integers."""
    return replace(job, model=f"{job.model}_int8")


def prepare(job: Job) -> None:
    zoo.prepare(whole(job))


def load(job: Job) -> Run:
    return zoo.load(whole(job))


def files(job: Job) -> list[Path]:
    return zoo.files(whole(job))
