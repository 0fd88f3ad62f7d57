"""torch.export -> Plan. The only file here that knows torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .errors import KernelError
from .plan import Array, Plan, Step
from .workload import Workload

ATEN = torch.ops.aten


@dataclass
class _Open:
    """A step whose epilogue may still grow: its operations so far, and the tensors it read."""

    name: str
    conv: Any
    source: str
    epilogue: list[str] = field(default_factory=list)
    skip: str | None = None
    normalised: bool = False


def trace(network: torch.nn.Module, height: int, width: int) -> Plan:
    """The plan of a network in eval mode that takes (1, 3, height, width).

    Raises KernelError where the network holds an operation the plan has no step for.
    """
    program = torch.export.export(network.eval(), (torch.zeros(1, 3, height, width),))
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    tensors = {**dict(program.named_parameters()), **dict(program.named_buffers())}

    def value(node: torch.fx.Node) -> Array:
        return np.asarray(tensors[names[node.name]].detach())

    parameters: dict[str, Array] = {}
    steps: dict[str, _Open] = {}
    owner: dict[torch.fx.Node, str] = {}  # node -> tensor it stands for
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in signature.user_inputs:
            owner[node] = "image"
        if node.op != "call_function":
            continue
        source = node.args[0]
        if node.target is ATEN.conv2d.default:
            name = names[node.args[1].name].removesuffix(".weight").removesuffix(".conv")
            steps[name] = _Open(name, node, owner[source])
            parameters[f"{name}.weight"] = value(node.args[1])
            if len(node.args) > 2 and node.args[2] is not None:
                parameters[f"{name}.bias"] = value(node.args[2])
            owner[node] = name
            continue
        if not isinstance(source, torch.fx.Node):
            raise KernelError(f"the plan has no step for {node.target}: concatenated skips cannot be compiled yet")
        if source not in owner or owner[source] not in steps:
            raise KernelError(f"the network applies {node.target} to its input; a plan begins with a convolution")
        step = steps[owner[source]]
        if any(user is not node for user in source.users) and node.target is not ATEN.add.Tensor:
            raise KernelError(f"{step.name}: {node.target} follows a tensor that others read too")
        if node.target is ATEN.batch_norm.default:
            _, gain, shift, mean, variance, _, _, epsilon, *_ = node.args
            step.normalised = True
            for key, operand in zip(("gain", "shift", "mean", "variance"), (gain, shift, mean, variance), strict=True):
                parameters[f"{step.name}.{key}"] = value(operand)
            parameters[f"{step.name}.variance"] = parameters[f"{step.name}.variance"] + np.float32(epsilon)
        elif node.target is ATEN.relu.default:
            step.epilogue.append("relu")
        elif node.target is ATEN.hardtanh.default and list(node.args[1:]) == [0.0, 6.0]:
            step.epilogue.append("relu6")
        elif node.target is ATEN.upsample_nearest2d.vec and list(node.args[2]) == [2.0, 2.0]:
            step.epilogue.append("double")
        elif node.target is ATEN.add.Tensor and step.skip is None:
            step.epilogue.append("add")
            step.skip = owner[node.args[1]]
        else:
            raise KernelError(f"{step.name}: the plan has no step for {node.target}")
        owner[node] = step.name
    return Plan(tuple(_close(step) for step in steps.values()), parameters)


def _close(step: _Open) -> Step:
    conv = step.conv
    cout, _, taps, across = conv.args[1].meta["val"].shape
    _, cin, height, width = conv.args[0].meta["val"].shape
    given = dict(enumerate(conv.args[3:]))
    stride, padding, dilation = (list(given.get(i, default)) for i, default in enumerate(([1, 1], [0, 0], [1, 1])))
    groups = given.get(3, 1)
    square = taps == across and stride[0] == stride[1] and padding == [taps // 2] * 2 and dilation == [1, 1]
    if not square or groups not in (1, cin) or (groups > 1 and cin != cout):
        raise KernelError(
            f"{step.name}: only square, centred convolutions are planned, dense or one filter per channel"
        )
    if step.source == "image":
        kind = "stem"
    elif cout == 1:
        kind = "head"
    elif groups > 1:
        kind = "depthwise"
    else:
        kind = "pointwise" if taps == 1 and stride[0] == 1 else "conv"
    workload = Workload(kind, taps, stride[0], cin, cout, height, width, tuple(step.epilogue))
    return Step(step.name, workload, step.source, step.skip, step.normalised)
