"""ONNX Runtime, CPU provider, on the network in integers."""

from pathlib import Path

from . import Job, Run, onnx_int8

NEEDS, DTYPE = ("onnxruntime", "onnx"), "int8"
prepare = onnx_int8.export


def load(job: Job) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    session = onnxruntime.InferenceSession(str(onnx_int8.path(job)), options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image[None]})[0][0, 0]


def files(job: Job) -> list[Path]:
    return [onnx_int8.path(job)]
