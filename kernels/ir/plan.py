"""The plan: the network at one input size as an ordered list of fused layers. Plain data; everything is derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtype import DType
from .workload import Workload

Array = NDArray[np.float32]  # images, depths, and parameters as they were trained
Parameter = NDArray[Any]  # float32, or where quantised as kernels/ir/quantize.py says


@dataclass(frozen=True)
class Step:
    """One fused layer: `result = epilogue(convolution(prologue(source)) + bias)`; `add` adds the tensor `skip`.

    Parameters by name, with the step's name before the dot: `.weight` (cout, cin / groups, kernel_size, kernel_size),
    `.bias` (cout); while `normalised`, instead of the bias `.gamma .beta .mean .variance` (cout), epsilon added to the
    variance. A pool has none. What a quantised step has is said in quantize.py.
    """

    name: str
    workload: Workload
    source: str
    skip: str | None = None
    normalised: bool = False

    @property
    def result(self) -> str:
        """Name of the tensor written: the step's own."""
        return self.name


@dataclass(frozen=True)
class Plan:
    """Steps in order of execution, and their parameters. The first step reads `input`, the last writes the depth.

    `concat` names tensors that are others concatenated along the channels. No step makes them: their parts are written
    where they stand.
    """

    steps: tuple[Step, ...]
    parameters: Mapping[str, Parameter]
    input: str = "image"
    concat: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """Name of the tensor that is the depth map."""
        return self.steps[-1].result

    @property
    def dtype(self) -> DType:
        """What its tensors hold."""
        return self.steps[0].workload.dtype

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(step.workload.macs for step in self.steps)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """The distinct workloads, in order of first use."""
        return tuple(dict.fromkeys(step.workload for step in self.steps))

    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """(channels, height, width) of every tensor."""
        first = self.steps[0].workload
        found = {self.input: (first.cin, first.height, first.width)}
        found |= {step.result: (step.workload.cout, *step.workload.out_sides) for step in self.steps}
        return found | {
            name: (sum(found[p][0] for p in parts), *found[parts[0]][1:]) for name, parts in self.concat.items()
        }

    def readers(self, tensor: str) -> tuple[Step, ...]:
        """The steps that read a tensor, by itself or concatenated with others."""
        names = {tensor, *(name for name, parts in self.concat.items() if tensor in parts)}
        return tuple(step for step in self.steps if names & {step.source, step.skip})

    def lifetimes(self) -> dict[str, tuple[int, int]]:
        """(index of the step that writes, index of the last that reads) for every tensor; the input is written at -1, and
        a concatenation from when the first of its parts is to when the last has been read."""
        written = {self.input: -1} | {step.result: i for i, step in enumerate(self.steps)}
        last = dict(written)
        for i, step in enumerate(self.steps):
            last |= {name: i for name in (step.source, step.skip) if name is not None}
        last[self.output] = len(self.steps)
        for name, parts in self.concat.items():
            written[name] = min(written[part] for part in parts)
            last[name] = max(last.get(tensor, -1) for tensor in (name, *parts))
        return {name: (written[name], last[name]) for name in written}
