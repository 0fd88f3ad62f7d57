"""ONNX Runtime, CPU provider, its defaults but for the number of threads."""

from pathlib import Path

from . import Job, Run, onnx

NEEDS = ("onnxruntime", "onnxscript")
prepare = onnx.export


def load(job: Job) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    session = onnxruntime.InferenceSession(str(onnx.path(job)), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image[None]})[0][0, 0]


def files(job: Job) -> list[Path]:
    return [onnx.path(job)]
