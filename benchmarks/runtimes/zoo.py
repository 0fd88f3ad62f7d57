"""This project's own: an artifact made by `zoo compile`."""

from pathlib import Path

from . import Job, Run

NEEDS = ("fastdepth-zoo", "apache-tvm")


def _folder(job: Job) -> Path:
    return job.folder / f"{job.model}-{job.device}"


def prepare(job: Job) -> None:
    """Built anew every time, as the kernels may have changed."""
    import zoo
    from zoo.cli.plans import plan_of
    from zoo.kernels.artifact.build import build
    from zoo.kernels.device import device
    from zoo.kernels.targets import target_of
    from zoo.variant import variant

    record = variant(job.model).weights
    facts = {"name": job.model, "weights_sha256": record.sha256 if record else "", "status": "released"}
    plan = plan_of(zoo.load(job.model), 224, 224)
    build(plan, target_of(device(job.device)).for_dtype(plan.dtype), _folder(job), facts)


def load(job: Job) -> Run:
    from zoo.kernels.runtime.fastdepth import FastDepth

    return FastDepth(_folder(job), job.threads)


def files(job: Job) -> list[Path]:
    return [_folder(job) / name for name in ("libfastdepth.so", "parameters.bin")]
