"""OpenVINO with its defaults: on CPUs that have bfloat16 it computes in that, so its error is part of the row."""

from pathlib import Path

from . import Job, Run, onnx

NEEDS = ("openvino", "onnxscript")
DTYPE = "bfloat16 where the processor has it"
OPTIONS: dict[str, str] = {}
prepare = onnx.export


def load(job: Job, options: dict[str, str] = OPTIONS) -> Run:
    import openvino

    settings = options | {"INFERENCE_NUM_THREADS": job.threads}
    request = openvino.Core().compile_model(str(onnx.path(job)), "CPU", settings).create_infer_request()
    return lambda image: next(iter(request.infer([image[None]]).values()))[0, 0]


def files(job: Job) -> list[Path]:
    return [onnx.path(job)]
