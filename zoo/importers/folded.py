"""Convolutions with their normalisation folded in, as inference files keep them: TFLite and ONNX, float or int8."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ZooError
from ..files import read_bounded

DEEPEST = 8  # steps from a convolution back to where its weights are kept


@dataclass(frozen=True)
class Folded:
    """One convolution with its normalisation folded in."""

    weight: NDArray[np.float32]  # (out_channels, in_channels / groups, kernel_size, kernel_size)
    bias: NDArray[np.float32]  # (out_channels,)


def read(path: Path) -> list[Folded]:
    """The convolutions of a TFLite or ONNX file in order of execution. Raises ZooError for what it cannot read."""
    content = read_bounded(path)
    if content[4:8] == b"TFL3":
        return _tflite(path, content)
    if path.suffix == ".onnx":  # protocol buffers have no mark of their own
        return _onnx(path, content)
    raise ZooError(
        f"{path}: unknown format; zoo import reads .tflite, .onnx, .pth.tar, .pth, .pt, .pt2 and .safetensors"
    )


def _tflite(path: Path, content: bytes) -> list[Folded]:
    try:
        import tflite
    except ImportError as error:
        raise ZooError("reading TFLite needs its schema: pip install 'fastdepth-zoo[import]'") from error
    kinds = {tflite.BuiltinOperator.CONV_2D: (0, 3, 1, 2), tflite.BuiltinOperator.DEPTHWISE_CONV_2D: (3, 0, 1, 2)}
    layers = []
    try:
        model = tflite.Model.GetRootAs(content, 0)
        graph = model.Subgraphs(0)
        for index in range(graph.OperatorsLength()):
            operator = graph.Operators(index)
            code = model.OperatorCodes(operator.OpcodeIndex())
            kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            if kind not in kinds:
                continue  # padding, resizing, adding and quantising carry no parameters
            weight, bias = (_dequantised(model, graph.Tensors(int(operator.Inputs(i)))) for i in (1, 2))
            layers.append(Folded(weight.transpose(kinds[kind]).copy(), bias))
    except (struct.error, IndexError, ValueError, AttributeError, TypeError, MemoryError) as error:
        raise ZooError(f"{path}: damaged or not a convolutional TFLite model ({error})") from error
    return layers


def _dequantised(model: Any, tensor: Any) -> NDArray[np.float32]:
    """value = (stored - zero point) * scale, per tensor or along the quantised axis."""
    import tflite

    dtypes = {tflite.TensorType.FLOAT32: "<f4", tflite.TensorType.INT8: "i1", tflite.TensorType.INT32: "<i4"}
    stored = np.frombuffer(model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes(), dtypes[tensor.Type()])
    stored = stored.reshape(tensor.ShapeAsNumpy())
    if tensor.Type() == tflite.TensorType.FLOAT32:
        return stored.astype(np.float32)
    quantisation = tensor.Quantization()
    scale = quantisation.ScaleAsNumpy().astype(np.float64)
    zero = np.asarray(quantisation.ZeroPointAsNumpy(), np.float64)
    return _scaled(stored, scale, zero, quantisation.QuantizedDimension())


def _scaled(stored: NDArray[Any], scale: NDArray[Any], zero: NDArray[Any], axis: int) -> NDArray[np.float32]:
    """(stored - zero) * scale, per tensor or along an axis, of the shape of what is stored."""
    shape = [1] * stored.ndim
    shape[axis] = -1
    if {scale.size, zero.size} - {1, stored.shape[axis]}:
        raise ValueError(f"{scale.size} scales for {stored.shape[axis]} filters")
    return np.asarray((stored - zero.reshape(shape)) * scale.astype(np.float64).reshape(shape), np.float32)


def _onnx(path: Path, content: bytes) -> list[Folded]:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ZooError("reading ONNX needs its library: pip install 'fastdepth-zoo[import]'") from error
    try:
        graph = onnx.load_model_from_string(content).graph
        makers = {name: node for node in graph.node for name in node.output}
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        norms = {node.input[0]: node for node in graph.node if node.op_type == "BatchNormalization"}

        def constant(name: str, depth: int = 0) -> NDArray[np.float32]:
            if name in tensors:
                return np.asarray(_array(tensors[name]))
            node = makers[name]
            if depth == DEEPEST:
                raise ValueError(f"{name} is no constant")
            if node.op_type == "Constant":
                return np.asarray(_array(node.attribute[0].t))
            if node.op_type == "Identity":
                return constant(node.input[0], depth + 1)
            if node.op_type == "DequantizeLinear":
                stored, scale, *zero = (constant(part, depth + 1) for part in node.input)
                axis = next((a.i for a in node.attribute if a.name == "axis"), 1) if scale.ndim else 0
                return _scaled(stored, scale, zero[0].astype(np.float64) if zero else np.zeros(1), axis)
            raise ValueError(f"{name} is computed by {node.op_type}, not a constant")

        return [
            _convolution(node, norms.get(node.output[0]), constant) for node in graph.node if node.op_type == "Conv"
        ]
    except (DecodeError, KeyError, IndexError, ValueError, TypeError, MemoryError) as error:
        raise ZooError(f"{path}: damaged or not a convolutional ONNX model ({error})") from error


def _array(tensor: Any) -> NDArray[Any]:
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL:
        raise ValueError("its weights lie in another file; export it with all in one")
    return np.asarray(numpy_helper.to_array(tensor))


def _convolution(node: Any, norm: Any, constant: Callable[[str], NDArray[np.float32]]) -> Folded:
    weight: NDArray[Any] = constant(node.input[1])
    bias: NDArray[Any] = constant(node.input[2]) if len(node.input) > 2 else np.zeros(len(weight))
    if norm is not None:
        scale, shift, mean, variance = (constant(name).astype(np.float64) for name in norm.input[1:5])
        if {len(scale), len(shift), len(mean), len(variance)} != {len(weight)}:
            raise ValueError(f"a normalisation of {len(scale)} channels behind {len(weight)} filters")
        scale = scale / np.sqrt(variance + next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5))
        weight, bias = weight * scale.reshape(-1, 1, 1, 1), (bias - mean) * scale + shift
    return Folded(np.array(weight, np.float32), np.array(bias, np.float32))
