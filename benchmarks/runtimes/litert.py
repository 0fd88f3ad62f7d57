"""LiteRT (once TensorFlow Lite) with XNNPACK, its default on processors, float32, from `zoo export --format tflite`."""

from pathlib import Path

from . import Job, Run

NEEDS = ("ai-edge-litert",)


def _path(job: Job) -> Path:
    return job.folder / f"{job.model}.tflite"


def prepare(job: Job) -> None:
    from zoo.exporters.tflite import content

    if not _path(job).exists():
        _path(job).write_bytes(content(job.network(), 224, 224))


def load(job: Job) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(_path(job)), num_threads=job.threads)
    interpreter.allocate_tensors()
    source, result = (part[0]["index"] for part in (interpreter.get_input_details(), interpreter.get_output_details()))

    def run(image):
        interpreter.set_tensor(source, image.transpose(1, 2, 0)[None])
        interpreter.invoke()
        return interpreter.get_tensor(result)[0, :, :, 0]

    return run


def files(job: Job) -> list[Path]:
    return [_path(job)]
