"""Kernels for graphics processors, run on this processor: the very same scheduled computation, its threads one after another.

Where a kernel has its threads fetch together, every thread here fetches everything, so the order of threads cannot matter
to the result. What this cannot show is a barrier that is missing; TVM places those.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ...device import Device
from ...ir.plan import Array
from ...ir.program import Operand, Program
from ...ir.workload import Workload
from .. import scheduled
from ..base import Knobs, OnProgress

THREADS = re.compile(r'T\.thread_binding\((\d+), thread="[\w.]+"\)')
SCOPES = re.compile(r', scope="(shared|local)"')
Function = Callable[..., None]  # a kernel: fills the last of the arrays it is given


def one_by_one(module: Any) -> Any:
    """A scheduled module with every loop over blocks and threads an ordinary one, and all memory the processor's own."""
    from tvm.script import from_source

    return from_source(SCOPES.sub("", THREADS.sub(r"T.serial(\1)", module.script(show_meta=True))))


def compiled(w: Workload, device: Device, knobs: Knobs) -> Function:
    """A workload's kernel, for numpy arrays."""
    import tvm

    module = one_by_one(scheduled(w, device, knobs, "kernel").mod)
    kernel = tvm.compile(module, target="llvm").jit()["kernel"]

    def run(*arrays: Array) -> None:
        tensors = [tvm.runtime.tensor(array) for array in arrays]
        kernel(*tensors)
        arrays[-1][...] = tensors[-1].numpy()

    return run


def run(program: Program, image: Array, on_progress: OnProgress = lambda *_: None) -> Array:
    """(3, H, W) -> (H, W) metres, through every kernel of a program with its own layout of memory."""
    dtype = program.plan.dtype.numpy
    memory = {
        "parameters": np.frombuffer(program.parameters, np.uint8).copy(),
        "arena": np.zeros(program.arena_bytes, np.uint8),
        "image": np.ascontiguousarray(image, dtype).view(np.uint8).reshape(-1),
        "depth": np.zeros(program.bytes_of("depth"), np.uint8),
    }

    def view(operand: Operand) -> Array:
        end = operand.offset + operand.bytes
        values: Array = memory[operand.place][operand.offset : end].view(operand.dtype.numpy)
        return values.reshape(operand.shape)

    functions: dict[Workload, Function] = {}
    for i, call in enumerate(program.calls):
        workload = call.step.workload
        on_progress(f"checking {workload}", i, len(program.calls))
        if workload not in functions:
            functions[workload] = compiled(workload, program.device, program.knobs[workload])
        functions[workload](*(view(operand) for operand in call.operands))
    depth: Array = memory["depth"].view(dtype).reshape(image.shape[1:])
    return depth
