"""torch.export -> Plan. The only file here that knows torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..errors import KernelError
from .plan import Array, Plan, Step
from .workload import NORMALIZE, Workload

ATEN = torch.ops.aten
NORM = ("gamma", "beta", "mean", "variance")


@dataclass
class _Open:
    """A step whose epilogue may still grow: its operations so far, and the tensors it read."""

    name: str
    node: torch.fx.Node  # the convolution or pool
    source: str
    epilogue: list[str] = field(default_factory=list)
    prologue: tuple[str, ...] = ()
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

    def value(node: Any) -> Array:
        return np.asarray(tensors[names[node.name]].detach())

    parameters: dict[str, Array] = {}
    steps: dict[str, _Open] = {}
    concat: dict[str, tuple[str, ...]] = {}
    owner: dict[Any, str] = {}  # node -> tensor it stands for
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in signature.user_inputs:
            owner[node] = "image"
        if node.op != "call_function":
            continue
        if node.target is ATEN.conv2d.default:
            name = names[node.args[1].name].removesuffix(".weight").removesuffix(".conv")
            steps[name] = _open(name, node, owner, steps)
            parameters[f"{name}.weight"] = value(node.args[1])
            if len(node.args) > 2 and node.args[2] is not None:
                parameters[f"{name}.bias"] = value(node.args[2])
            owner[node] = name
            continue
        if node.target is ATEN.max_pool2d.default and owner.get(node.args[0]) in steps:
            name = list(node.meta["nn_module_stack"].values())[-1][0]
            steps[name] = _open(name, node, owner, steps)
            owner[node] = name
            continue
        if node.target is ATEN.cat.default:
            owner[node] = _concatenate(node, owner, concat, steps)
            continue
        source = _latest(node, owner, list(steps))
        if _normalizes(node, owner):
            owner[node] = "image"
            continue
        if owner.get(source) == "image":
            raise KernelError(f"the network applies {node.target} to its input; a plan begins with a convolution")
        if owner.get(source) not in steps:
            raise KernelError(f"the plan has no step for {node.target} of {owner.get(source, 'what no layer made')}")
        step = steps[owner[source]]
        if any(user is not node for user in source.users):
            raise KernelError(f"{step.name}: {node.target} follows a tensor that others read too")
        if step.node.target is ATEN.max_pool2d.default:
            raise KernelError(f"{step.name}: the plan has no step for {node.target} of a pool's result")
        if node.target is ATEN.batch_norm.default:
            _, gamma, beta, mean, variance, _, _, epsilon, *_ = node.args
            step.normalised = True
            for key, operand in zip(NORM, (gamma, beta, mean, variance), strict=True):
                parameters[f"{step.name}.{key}"] = value(operand)
            parameters[f"{step.name}.variance"] = parameters[f"{step.name}.variance"] + np.float32(epsilon)
        elif node.target is ATEN.relu.default:
            step.epilogue.append("relu")
        elif node.target is ATEN.hardtanh.default and list(node.args[1:]) == [0.0, 6.0]:
            step.epilogue.append("relu6")
        elif _doubles(node) and not {"double", "add"} & set(step.epilogue):
            step.epilogue.append("double")
        elif node.target is ATEN.add.Tensor and step.skip is None:
            other = node.args[1] if node.args[0] is source else node.args[0]
            if owner.get(other) in (None, step.name) or other.meta["val"].shape != source.meta["val"].shape:
                raise KernelError(f"{step.name}: the plan adds two tensors of equal shape, made by different layers")
            step.epilogue.append("add")
            step.skip = owner[other]
        else:
            raise KernelError(f"{step.name}: the plan has no step for {node.target}")
        owner[node] = step.name
    return Plan(tuple(_close(step) for step in steps.values()), parameters, concat=concat)


def _open(name: str, node: Any, owner: dict[Any, str], steps: dict[str, _Open]) -> _Open:
    if name in steps:
        raise KernelError(f"{name}: runs twice; the plan names steps after layers, so each runs once")
    prologue = ("normalize",) if node.args[0].target is ATEN.div.Tensor else ()
    return _Open(name, node, owner[node.args[0]], prologue=prologue)


def _latest(node: Any, owner: dict[Any, str], order: list[str]) -> Any:
    """The operand whose layer runs last: by then the others are there, so it is the one to do what the node does."""
    tensors = [x for x in node.args if owner.get(x) in order] if node.target is ATEN.add.Tensor else []
    return max(tensors, key=lambda x: order.index(owner[x]), default=node.args[0])


def _concatenate(node: Any, owner: dict[Any, str], concat: dict[str, tuple[str, ...]], steps: dict[str, _Open]) -> str:
    parts = tuple(owner[x] for x in node.args[0])
    before = {part for others in concat.values() for part in others}
    if node.args[1:] != (1,) or len(set(parts) - before) < len(node.args[0]) or not set(parts) <= steps.keys():
        raise KernelError(f"{' and '.join(parts)}: results of layers can be concatenated along the channels, each once")
    concat[name := "+".join(parts)] = parts
    return name


def _normalizes(node: Any, owner: dict[Any, str]) -> bool:
    """Whether this is one of the two operations on the image that "normalize" stands for: minus the mean, by the deviation."""
    mean, std = NORMALIZE
    if node.target is ATEN.sub.Tensor and owner.get(node.args[0]) == "image" and node.args[0].op == "placeholder":
        return list(node.args[1:]) == [mean] and all(
            user.target is ATEN.div.Tensor and list(user.args[1:]) == [std] for user in node.users
        )
    return node.target is ATEN.div.Tensor and owner.get(node.args[0]) == "image" and node.args[0].op != "placeholder"


def _doubles(node: Any) -> bool:
    return node.target is ATEN.upsample_nearest2d.vec and list(node.args[2]) == [2.0, 2.0]


def _close(step: _Open) -> Step:
    if step.node.target is ATEN.max_pool2d.default:
        return Step(step.name, _pool(step), step.source)
    conv: Any = step.node
    cout, _, kernel_size, across = conv.args[1].meta["val"].shape
    _, cin, height, width = conv.args[0].meta["val"].shape
    stride, padding, dilation = _options(conv, 3, ([1, 1], [0, 0], [1, 1]))
    groups = conv.args[6] if len(conv.args) > 6 else 1
    square = (
        kernel_size == across and stride[0] == stride[1] and padding == [kernel_size // 2] * 2 and dilation == [1, 1]
    )
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
        kind = "pointwise" if kernel_size == 1 and stride[0] == 1 else "conv"
    workload = Workload(kind, kernel_size, stride[0], cin, cout, height, width, tuple(step.epilogue), step.prologue)
    return Step(step.name, workload, step.source, step.skip, step.normalised)


def _pool(step: _Open) -> Workload:
    pool: Any = step.node
    _, channels, height, width = pool.args[0].meta["val"].shape
    (kernel_size, across), (stride, other), padding, dilation = _options(pool, 1, ([], [], [0, 0], [1, 1]))
    if (
        kernel_size != across
        or stride != other
        or padding != [kernel_size // 2] * 2
        or dilation != [1, 1]
        or pool.args[5:] == (True,)
    ):
        raise KernelError(f"{step.name}: only square, centred pools are planned")
    return Workload("pool", kernel_size, stride, channels, channels, height, width)


def _options(node: Any, first: int, defaults: tuple[list[int], ...]) -> list[list[int]]:
    given = dict(enumerate(node.args[first:]))
    return [list(given.get(i, default)) for i, default in enumerate(defaults)]
