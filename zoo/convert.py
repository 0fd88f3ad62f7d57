"""Foreign checkpoints, read once and turned into ours. Today: TFLite, float or int8, whatever converter wrote it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import ZooError
from .variant import Variant

if TYPE_CHECKING:
    from .network import FastDepth


@dataclass(frozen=True)
class Folded:
    """One convolution with its normalisation folded in."""

    weight: NDArray[np.float32]  # (cout, cin / groups, taps, taps)
    bias: NDArray[np.float32]  # (cout,)


def read(path: Path) -> list[Folded]:
    """The convolutions of a foreign file in order of execution. Raises ZooError for what it cannot read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ZooError(f"{path}: {error.strerror or error}") from error
    if content[4:8] == b"TFL3":
        return _tflite(path, content)
    raise ZooError(f"{path}: unknown format; zoo import reads TFLite files")


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
    shape = [1] * stored.ndim
    shape[quantisation.QuantizedDimension()] = -1
    scale = quantisation.ScaleAsNumpy().astype(np.float64).reshape(shape)
    zero = np.asarray(quantisation.ZeroPointAsNumpy(), np.float64).reshape(shape)
    return np.asarray((stored - zero) * scale, np.float32)


def fill(variant: Variant, layers: list[Folded], origin: Path) -> FastDepth:
    """A network of that variant holding the folded layers, its normalisations reduced to a bias."""
    import torch

    from .blocks import Layer
    from .network import FastDepth

    network = FastDepth(variant).eval()
    targets = [(name, module) for name, module in network.named_modules() if isinstance(module, Layer)]
    if len(targets) != len(layers):
        raise ZooError(f"{origin}: {len(layers)} convolutions, variant {variant.name} has {len(targets)}")
    for (name, target), layer in zip(targets, layers, strict=True):
        if target.conv.weight.shape != layer.weight.shape:
            raise ZooError(
                f"{origin}: {name} has shape {layer.weight.shape}, "
                f"variant {variant.name} needs {tuple(target.conv.weight.shape)}"
            )
        with torch.no_grad():
            target.conv.weight.copy_(torch.from_numpy(layer.weight))
            target.norm.bias.copy_(torch.from_numpy(layer.bias))
            target.norm.running_var.fill_(1 - target.norm.eps)  # type: ignore[union-attr]
    return network


def check(network: FastDepth, origin: Path) -> None:
    """One forward pass on grey: the depth must be finite and not all zero."""
    import torch

    with torch.inference_mode():
        depth = network(torch.full((1, 3, *network.variant.input), 0.5))
    if not torch.isfinite(depth).all() or not (depth > 0).any():
        raise ZooError(f"{origin}: the imported network gives no depth; is it a FastDepth?")
