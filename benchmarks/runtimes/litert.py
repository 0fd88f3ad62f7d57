"""LiteRT (once TensorFlow Lite) with XNNPACK, float32, converted by litert-torch."""

from pathlib import Path

import numpy as np

from . import Job, Run

NEEDS = ("ai-edge-litert", "litert-torch")


def _path(job: Job) -> Path:
    return job.folder / f"{job.model}.tflite"


def prepare(job: Job) -> None:
    import litert_torch
    import torch

    if not _path(job).exists():
        example = torch.from_numpy(job.example())[None]
        litert_torch.convert(job.network(), (example,)).export(str(_path(job)))


def load(job: Job) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(_path(job)), num_threads=job.threads)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]

    def run(image):
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        return np.squeeze(interpreter.get_tensor(result))

    return run


def files(job: Job) -> list[Path]:
    return [_path(job)]
