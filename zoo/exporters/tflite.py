"""A network as a LiteRT (TensorFlow Lite) file: float32, channels last, normalisation folded, activations fused.

Written with the schema that LiteRT itself ships; nothing of TensorFlow is needed.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ZooError
from ..model.network import FastDepth

ATEN = torch.ops.aten
OP, ACTIVATION = schema.BuiltinOperator, schema.ActivationFunctionType
ALIGNMENT = 16  # bytes, of the weights: they are used where they lie in the file
VERSION = 3  # of the format


def content(network: FastDepth, height: int, width: int, description: str = "fastdepth-zoo") -> bytes:
    """The file for one input size: `image` (1, height, width, 3) -> `depth` (1, height, width, 1).

    Raises ZooError where the network holds an operation that is not translated.
    """
    program = torch.export.export(network.eval(), (torch.zeros(1, 3, height, width),))
    return _Translation(program, description).file()


class _Builder(flatbuffers.Builder):
    def CreateNumpyVector(self, x: NDArray[Any]) -> Any:  # noqa: N802
        self.Prep(ALIGNMENT, x.nbytes)
        return super().CreateNumpyVector(x)


class _Translation:
    """One pass over the exported graph, an operator for every convolution, doubling and join."""

    def __init__(self, program: torch.export.ExportedProgram, description: str) -> None:
        signature = program.graph_signature
        self.names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.values: dict[str, Tensor] = {**dict(program.named_parameters()), **dict(program.named_buffers())}
        self.model = schema.ModelT(version=VERSION, description=description, operatorCodes=[])
        self.model.buffers = [schema.BufferT()]  # the first is every computed tensor's: empty
        self.graph = schema.SubGraphT(tensors=[], operators=[], name="main")
        self.model.subgraphs = [self.graph]
        self.index: dict[Any, int] = {}  # node -> its tensor
        for node in program.graph.nodes:
            if node.op == "placeholder" and node.name in signature.user_inputs:
                self.graph.inputs = [self.computed(node, "image")]
            elif node.op == "call_function" and node not in self.index:
                self.translate(node)
            elif node.op == "output":
                self.graph.outputs = [self.index[node.args[0][0]]]
        self.graph.tensors[self.graph.outputs[0]].name = "depth"

    def file(self) -> bytes:
        builder = _Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def translate(self, node: Any) -> None:
        if node.target is ATEN.conv2d.default:
            self.convolution(node)
        elif node.target is ATEN.upsample_nearest2d.vec:
            sides = self.constant(np.array(node.meta["val"].shape[2:], np.int32), f"{node.name}.sides")
            self.operator(OP.RESIZE_NEAREST_NEIGHBOR, [self.index[node.args[0]], sides], node)
        elif node.target is ATEN.add.Tensor and len(node.args) == 2:
            self.operator(OP.ADD, [self.index[x] for x in node.args], node)
        elif node.target is ATEN.cat.default and node.args[1] == 1:
            options = schema.ConcatenationOptionsT(axis=3)
            self.operator(OP.CONCATENATION, [self.index[x] for x in node.args[0]], node, options)
        else:
            raise ZooError(f"no TFLite operator is known here for {node.target}")

    def convolution(self, node: Any) -> None:
        """A convolution with the normalisation and activation that alone read it."""
        operands: list[Any] = list(node.args)
        source, kernel, bias, stride, padding, dilation, groups = operands + _DEFAULTS[len(operands) :]
        weight = self.value(kernel).astype(np.float64)
        shift = np.zeros(len(weight)) if bias is None else self.value(bias).astype(np.float64)
        fused, activation = [node], ACTIVATION.NONE
        if (norm := _only(node)) and norm.target is ATEN.batch_norm.default:
            gain, offset, mean, variance = (self.value(x).astype(np.float64) for x in norm.args[1:5])
            gain = gain / np.sqrt(variance + norm.args[7])
            weight, shift = weight * gain.reshape(-1, 1, 1, 1), (shift - mean) * gain + offset
            fused.append(norm)
        if (after := _only(fused[-1])) and (found := _activation(after)):
            activation = found
            fused.append(after)
        depthwise = groups > 1
        if (depthwise and weight.shape[1] > 1) or list(dilation) != [1, 1]:
            raise ZooError(f"{node.name}: groups of several channels and dilation are not translated to TFLite")
        name = self.names[kernel.name].removesuffix(".weight").removesuffix(".conv")
        filters = self.constant(weight.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1)), f"{name}.weight")
        biases = self.constant(shift, f"{name}.bias")
        padded, how = self.padded(source, weight.shape[2:], stride, padding)
        kind, options = (
            (OP.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT(depthMultiplier=1))
            if depthwise
            else (OP.CONV_2D, schema.Conv2DOptionsT())
        )
        options.padding, options.fusedActivationFunction = how, activation
        options.strideH, options.strideW = stride
        self.operator(kind, [padded, filters, biases], fused[-1], options)
        self.index |= dict.fromkeys(fused, self.index[fused[-1]])

    def padded(self, source: Any, kernel_size: Any, stride: Any, padding: Any) -> tuple[int, int]:
        """(the input, how to pad it): as TensorFlow pads where that is the same, else with zeros of our own.

        TensorFlow pads before by half of what is needed, rounded down; PyTorch by `padding`, whether needed or not.
        """
        sides = source.meta["val"].shape[2:]
        results = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(sides, kernel_size, stride, padding, strict=True)]
        needed = [(-(-n // s) - 1) * s + k - n for n, k, s in zip(sides, kernel_size, stride, strict=True)]
        if not any(padding):
            return self.index[source], schema.Padding.VALID
        if results == [-(-n // s) for n, s in zip(sides, stride, strict=True)] and [n // 2 for n in needed] == padding:
            return self.index[source], schema.Padding.SAME
        frame = np.array([(0, 0), *((p, p) for p in padding), (0, 0)], np.int32)
        n, c, height, width = source.meta["val"].shape
        shape = (n, height + 2 * padding[0], width + 2 * padding[1], c)
        made = self.tensor(shape, f"{source.name}.framed")
        self.append(OP.PAD, [self.index[source], self.constant(frame, f"{source.name}.frame")], made)
        return made, schema.Padding.VALID

    def value(self, node: Any) -> NDArray[np.float32]:
        return np.asarray(self.values[self.names[node.name]].detach())

    def constant(self, values: NDArray[Any], name: str) -> int:
        kept = values if values.dtype == np.int32 else values.astype(np.float32)
        self.model.buffers.append(schema.BufferT(data=np.frombuffer(kept.tobytes(), np.uint8)))
        kind = schema.TensorType.INT32 if values.dtype == np.int32 else schema.TensorType.FLOAT32
        return self.tensor(kept.shape, name, kind, len(self.model.buffers) - 1)

    def computed(self, node: Any, name: str = "") -> int:
        n, c, height, width = node.meta["val"].shape
        self.index[node] = self.tensor((n, height, width, c), name or node.name)
        return self.index[node]

    def tensor(self, shape: Any, name: str, kind: int = schema.TensorType.FLOAT32, buffer: int = 0) -> int:
        made = schema.TensorT(shape=[int(n) for n in shape], type=kind, buffer=buffer, name=name, hasRank=True)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def operator(self, code: int, inputs: list[int], result: Any, options: Any = None) -> None:
        self.append(code, inputs, self.computed(result), options)

    def append(self, code: int, inputs: list[int], output: int, options: Any = None) -> None:
        codes = self.model.operatorCodes
        place = next((i for i, known in enumerate(codes) if known.builtinCode == code), len(codes))
        if place == len(codes):
            codes.append(schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code))  # both: readers of any age
        made = schema.OperatorT(opcodeIndex=place, inputs=inputs, outputs=[output])
        options = options or _OPTIONS[code]()
        made.builtinOptions = options
        made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.graph.operators.append(made)


_DEFAULTS: list[Any] = [None, None, None, [1, 1], [0, 0], [1, 1], 1]  # of aten::conv2d's operands
_OPTIONS = {
    OP.PAD: schema.PadOptionsT,
    OP.ADD: schema.AddOptionsT,
    OP.RESIZE_NEAREST_NEIGHBOR: schema.ResizeNearestNeighborOptionsT,
}


def _only(node: Any) -> Any:
    """What reads a node, where that is one thing."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def _activation(node: Any) -> int:
    if node.target is ATEN.relu.default:
        return int(ACTIVATION.RELU)
    relu6 = node.target is ATEN.hardtanh.default and tuple(node.args[1:]) == (0.0, 6.0)
    return int(ACTIVATION.RELU6 if relu6 else ACTIVATION.NONE)
