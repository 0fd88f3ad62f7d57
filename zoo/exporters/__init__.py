"""Networks for other people's tools: ONNX, LiteRT, torch.export's archive, TorchScript. What is written has been run."""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from ..errors import ZooError
from ..files import write_atomic
from ..model.network import FastDepth
from ..model.quantized import QuantizedFastDepth
from ..outputs import mark
from . import onnx, onnx_int8

FORMATS = {"onnx": ".onnx", "tflite": ".tflite", "pt2": ".pt2", "torchscript": ".pt"}
COMMAND = "export"


def export(
    network: FastDepth, form: str, path: Path, height: int = 224, width: int = 224, **options: Unpack[onnx.Options]
) -> float:
    """Write the network at one input size; the largest difference to eager, in metres, of what was written.

    Input `image` (1, 3, height, width) RGB in [0, 1], output `depth` (1, 1, height, width) metres; in a TFLite file, as is
    usual there, (1, height, width, 3) and (1, height, width, 1). `options`: of ONNX alone, see `onnx.Form`. A network
    in integers is written in QDQ form. Raises ZooError.
    """
    if form not in FORMATS:
        raise ZooError(f"no format {form!r}; there are {', '.join(FORMATS)}")
    if options and form != "onnx":
        raise ZooError(f"--dynamic, --opset, --dtype and --pixels go with --format onnx, not {form}")
    if isinstance(network, QuantizedFastDepth):
        if options or form != "onnx":
            raise ZooError(f"{network.variant.name}: integers are exported with --format onnx, as they are")
        (made, error), tolerance = onnx_int8.content(network, height, width, mark(COMMAND)), onnx_int8.TOLERANCE
    else:
        asked = onnx.Form((height, width), **options)
        tolerance = asked.tolerance
        with torch.no_grad(), _quietly():
            made, error = (
                onnx.content(network, asked, mark(COMMAND)) if form == "onnx" else _run(network, form, height, width)
            )
    if not error <= tolerance:
        raise ZooError(f"{path}: what was exported differs from eager by {error:.1e} m; not written")
    write_atomic(path, made)
    return error


def _run(network: FastDepth, form: str, height: int, width: int) -> tuple[bytes, float]:
    """(the file, its largest difference to eager, metres)."""
    image = torch.from_numpy(np.random.default_rng(0).random((1, 3, height, width), np.float32))
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / f"network{FORMATS[form]}"
        found = {"tflite": _tflite, "pt2": _pt2, "torchscript": _torchscript}[form](network, image, made)
        return made.read_bytes(), float((found - network(image)).abs().max())


def _tflite(network: FastDepth, image: Tensor, path: Path) -> Tensor:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise ZooError("exporting TFLite needs pip install 'fastdepth-zoo[export]'") from error
    from .tflite import content

    path.write_bytes(content(network, image.shape[2], image.shape[3], mark(COMMAND)))
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # the delegate announces itself on stderr
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image.permute(0, 2, 3, 1).numpy())
    interpreter.invoke()
    depth = torch.from_numpy(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return depth.permute(0, 3, 1, 2)


def _pt2(network: FastDepth, image: Tensor, path: Path) -> Tensor:
    torch.export.save(torch.export.export(network, (image,)), path, extra_files={"software": mark(COMMAND)})
    depth: Tensor = torch.export.load(path).module()(image)
    return depth


def _torchscript(network: FastDepth, image: Tensor, path: Path) -> Tensor:
    extra = {"software": mark(COMMAND)}
    torch.jit.trace(network, image).save(str(path), _extra_files=extra)  # type: ignore[no-untyped-call]
    depth: Tensor = torch.jit.load(str(path))(image)  # type: ignore[no-untyped-call]
    return depth


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporters talk to people who develop exporters."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
