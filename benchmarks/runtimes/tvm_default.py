"""TVM without a schedule of ours: its importer, its default pipeline."""

from pathlib import Path

from . import Job, Run

NEEDS = ("apache-tvm", "torch")
ONE_THREAD = True


def _path(job: Job) -> Path:
    return job.folder / f"{job.model}-tvm.so"


def prepare(job: Job) -> None:
    import torch
    import tvm
    from tvm.relax.frontend.torch import from_exported_program

    from zoo.kernels.device import device

    if _path(job).exists():
        return
    exported = torch.export.export(job.network(), (torch.from_numpy(job.example())[None],))
    module = from_exported_program(exported)
    tvm.compile(module, tvm.target.Target(dict(device(job.device).target))).export_library(str(_path(job)))


def load(job: Job) -> Run:
    import tvm

    machine = tvm.relax.VirtualMachine(tvm.runtime.load_module(str(_path(job))), tvm.cpu())

    def run(image):
        return machine["main"](tvm.runtime.tensor(image[None]))[0].numpy()[0, 0]

    return run


def files(job: Job) -> list[Path]:
    return [_path(job)]
