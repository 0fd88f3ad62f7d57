"""OpenVINO on the network in integers."""

from pathlib import Path

from . import Job, Run, onnx_int8

NEEDS, DTYPE = ("openvino", "onnx"), "int8"
prepare = onnx_int8.export


def load(job: Job) -> Run:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": job.threads}
    request = openvino.Core().compile_model(str(onnx_int8.path(job)), "CPU", settings).create_infer_request()
    return lambda image: next(iter(request.infer([image[None]]).values()))[0, 0]


def files(job: Job) -> list[Path]:
    return [onnx_int8.path(job)]
