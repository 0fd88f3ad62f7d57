"""A network in integers as ONNX, in the form that compilers for integers read: every tensor between QuantizeLinear and
DequantizeLinear (QDQ), weights in int8 by channel, biases in int32, uint8 between layers. Opset 13, batch 1.

Runtimes round where they like: depths may differ by a few steps of a layer's integers, which is counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import ZooError
from ..model.quantized import QuantizedFastDepth

OPSET, IR_VERSION = 13, 8
TOLERANCE = 0.25  # metres: some steps of the coarsest layer
NEEDS = "exporting ONNX needs pip install 'fastdepth-zoo[export]'"


def content(network: QuantizedFastDepth, height: int, width: int, software: str) -> tuple[bytes, float]:
    """(the file, the largest difference to eager in metres, run by ONNX Runtime on one picture). Raises ZooError."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ZooError(NEEDS) from error
    graph = Graph(network).made(height, width)
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="fastdepth-zoo"
    )
    onnx.helper.set_model_props(model, {"software": software, "model": network.variant.name, "dtype": "int8"})
    onnx.checker.check_model(model, full_check=True)
    made: bytes = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    image: NDArray[Any] = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(image)).numpy()
    return made, float(np.abs(session.run(["depth"], {"image": image})[0] - expected).max())


class Graph:
    """The nodes and constants of a network, written down in the order in which it runs."""

    def __init__(self, network: QuantizedFastDepth) -> None:
        from onnx import helper, numpy_helper

        self.network, self.nodes, self.constants = network, [], []  # type: ignore[var-annotated]
        self._helper, self._array = helper, numpy_helper.from_array

    def made(self, height: int, width: int) -> Any:
        """onnx.GraphProto: `image` (1, 3, H, W) float32 RGB in [0, 1] -> `depth` (1, 1, H, W) float32 metres."""
        float32 = self._helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
        ends = [
            self._helper.make_tensor_value_info(name, float32, (1, channels, height, width))
            for name, channels in (("image", 3), ("depth", 1))
        ]
        network, variant = self.network, self.network.variant
        self._constant("doubled", np.array([1, 1, 2, 2], np.float32))
        self._constant("zero", np.array(0, np.uint8))
        following = dict(zip(network.order, [*network.order[1:], ""], strict=True))
        x = self._rounded("image", "image", network.order[0])
        encoded = []
        for block in (f"encoder.{i}" for i in range(len(variant.encoder_widths))):
            x = self._block(block, x, following)
            encoded.append(x)
        for stage in range(1, len(variant.decoder_widths) + 1):
            block = f"decoder.{stage}"
            x = self._block(block, x, following)
            x = self._node("Resize", f"{block}.doubled", x, "", "doubled", **NEAREST)
            if stage in network.decoder.skips:
                both = self._node("Add", f"{block}.sum", x, encoded[network.decoder.skips[stage]])
                x = self._rounded(f"{block}.sum", both, following[network.last(block)])
        self._node("Relu", "depth", self._layer("head", x))
        return self._helper.make_graph(self.nodes, variant.name, ends[:1], ends[1:], self.constants)

    def _block(self, block: str, x: str, following: dict[str, str]) -> str:
        for name in self.network.order:
            if name == block or name.startswith(f"{block}."):
                x = self._rounded(name, self._node("Relu", f"{name}.relu", self._layer(name, x)), following[name])
        return x

    def _layer(self, name: str, x: str) -> str:
        """A convolution with its weights and bias."""
        layer = self.network.layer(name)
        scales = layer.weight_scale.detach().numpy()
        for part, values, scale in (
            ("weight", layer.weight.numpy(), scales),
            ("bias", layer.bias.numpy(), (float(layer.input_scale) * scales.astype(np.float64)).astype(np.float32)),
        ):
            self._constant(f"{name}.{part}", values)
            self._constant(f"{name}.{part}.scale", scale)
            self._constant(f"{name}.{part}.zero", np.zeros(len(scale), values.dtype))
            parts = (f"{name}.{part}", f"{name}.{part}.scale", f"{name}.{part}.zero")
            self._node("DequantizeLinear", f"{name}.{part}.real", *parts, axis=0)
        size = layer.weight.shape[2]
        sizes = {"kernel_shape": [size, size], "strides": list(layer.stride), "pads": [size // 2] * 4}
        real = (f"{name}.weight.real", f"{name}.bias.real")
        return self._node("Conv", f"{name}.conv", x, *real, group=layer.groups, **sizes)

    def _rounded(self, name: str, x: str, reader: str) -> str:
        """x in whole steps of what the layer that reads it wants, as uint8 and back."""
        scale = f"{reader}.input.scale"
        if scale not in {constant.name for constant in self.constants}:
            self._constant(scale, np.float32(self.network.layer(reader).input_scale.detach().numpy()))
        whole = self._node("QuantizeLinear", f"{name}.uint8", x, scale, "zero")
        return self._node("DequantizeLinear", f"{name}.real", whole, scale, "zero")

    def _node(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(self._helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def _constant(self, name: str, values: NDArray[Any] | np.float32) -> None:
        self.constants.append(self._array(np.asarray(values), name))


NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
