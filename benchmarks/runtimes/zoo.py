"""This project's own: an artifact made by `zoo compile`."""

from functools import cache
from pathlib import Path

from . import Job, Run

NEEDS = ("fastdepth-zoo", "apache-tvm")


def _folder(job: Job) -> Path:
    return job.folder / f"{job.model}-{job.device}"


def prepare(job: Job) -> None:
    _build(job.model, job.device, _folder(job))


@cache  # one artifact serves every number of threads; another run builds anew, as the kernels may have changed
def _build(model: str, device_name: str, folder: Path) -> None:
    import zoo
    from zoo.kernels.build import build
    from zoo.kernels.device import device
    from zoo.kernels.export import trace
    from zoo.variant import variant

    record = variant(model).weights
    facts = {"name": model, "weights_sha256": record.sha256 if record else "", "status": "released"}
    build(trace(zoo.load(model), 224, 224), device(device_name), folder, facts)


def load(job: Job) -> Run:
    from zoo.kernels.runtime.fastdepth import FastDepth

    return FastDepth(_folder(job), job.threads)


def files(job: Job) -> list[Path]:
    return [_folder(job) / name for name in ("libfastdepth.so", "parameters.bin")]
