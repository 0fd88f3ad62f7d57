"""ncnn, converted by pnnx from TorchScript, computing in float32."""

import subprocess
import warnings
from pathlib import Path

import numpy as np

from . import Job, Run

NEEDS = ("ncnn", "pnnx")


def _path(job: Job, suffix: str) -> Path:
    return job.folder / f"{job.model}.ncnn.{suffix}"


def prepare(job: Job) -> None:
    import pnnx
    import torch

    if _path(job, "bin").exists():
        return
    script = job.folder / f"{job.model}.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of the check of the input's shape
        torch.jit.trace(job.network(), torch.from_numpy(job.example())[None]).save(str(script))
    command = [pnnx.EXEC_PATH, script.name, "inputshape=[1,3,224,224]", "fp16=0"]
    subprocess.run(command, cwd=job.folder, check=True, capture_output=True)


def load(job: Job) -> Run:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = job.threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.load_param(str(_path(job, "param")))
    net.load_model(str(_path(job, "bin")))

    def run(image):
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(image))
            return np.array(extractor.extract("out0")[1])[0]

    return run


def files(job: Job) -> list[Path]:
    return [_path(job, "param"), _path(job, "bin")]
