"""What several runtimes read: the network in integers as ONNX, the very one that this project's kernels compute."""

from pathlib import Path

from . import Job
from .zoo_int8 import whole


def path(job: Job) -> Path:
    return job.folder / f"{whole(job).model}.onnx"


def export(job: Job) -> None:
    from zoo.exporters.onnx_int8 import content

    if not path(job).exists():
        path(job).write_bytes(content(whole(job).network(), 224, 224, "")[0])
