"""OpenVINO told to compute in float32."""

from . import Job, Run, openvino_default
from .openvino_default import NEEDS, files, prepare  # noqa: F401


def load(job: Job) -> Run:
    return openvino_default.load(job, {"INFERENCE_PRECISION_HINT": "f32"})
