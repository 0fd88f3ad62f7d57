"""One kernel, made ready to be timed: on this machine, as a program for a board, as a library for TVM's RPC server."""

from __future__ import annotations

import json
from pathlib import Path

from ...device import Device
from ...dtype import format_of
from ...ir.memory import LINE
from ...ir.plan import Step
from ...ir.program import Call, Operand, symbol
from ...ir.workload import Workload
from ...tvm_private import PREFIX
from .. import scheduled
from ..base import Knobs
from ..native import RUNTIME, compile_c, runtime_of
from ..simd import compile_kernel
from ..simd_space import workspace
from ..simd_tables import step_c

RUNTIME_OF_A_KERNEL = ("kernels.c", "pool.c", "features.c")


class CpuTimer:
    """Times kernels of processors."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def here(self, w: Workload, knobs: Knobs, runs: int, flush: int) -> list[float]:
        """Seconds of each run on this machine, after one that touches memory for the first time."""
        import tvm

        from ...algorithm import operands

        module = scheduled(w, self.device, knobs, "kernel").mod
        compiled = tvm.compile(module, target=tvm.target.Target(dict(self.device.target))).jit()
        tensors = [tvm.runtime.tensor(values) for values in operands(w, self.device.simd_lanes)]
        evaluate = compiled.time_evaluator("kernel", tvm.cpu(), number=1, repeat=runs + 1, cache_flush_bytes=flush)
        return [round(float(seconds), 9) for seconds in evaluate(*tensors).results[1:]]

    def program(self, w: Workload, knobs: Knobs, folder: Path, runs: int, flush: int) -> Path:
        """A program for the board, which needs nothing but Linux."""
        kernel, table, program = compile_kernel(w, self.device, knobs, folder), folder / "network.c", folder / "timer"
        table.write_text(self._table(w, knobs))
        runtime = [RUNTIME / "timer" / "main.c", RUNTIME / "common.c"]
        runtime += [runtime_of(self.device) / name for name in RUNTIME_OF_A_KERNEL]
        compile_c(self.device, [f"-DRUNS={runs}", f"-DFLUSH={flush}", table, kernel, *runtime, "-o", program])
        return program

    def library(self, w: Workload, knobs: Knobs, folder: Path) -> Path:
        """A shared library for the board."""
        library = folder / "kernel.so"
        compile_c(self.device, ["-fPIC", "-shared", compile_kernel(w, self.device, knobs, folder), "-o", library])
        return library

    def _table(self, w: Workload, knobs: Knobs) -> str:
        from ...algorithm import operands

        placed, used = [], 0
        for values in operands(w, self.device.simd_lanes):
            placed.append(Operand("arena", used, values.shape, format_of(values.dtype)))
            used += -(-placed[-1].bytes // LINE) * LINE
        call = Call(Step("kernel", w, "x"), symbol(w), tuple(placed))
        required = "".join(f"{json.dumps(name)}, " for name in self.device.cpu_features)
        return "\n".join(
            [
                '#include "network.h"',
                f"kernel {PREFIX}{call.symbol};",
                f"const step network_steps[] = {{\n{step_c(call)}\n}};",
                f"const size_t network_arena_bytes = {used};",
                f"const size_t network_workspace_bytes = {workspace(w, self.device, knobs)};",
                f"const char *const network_requires[] = {{{required}NULL}};",
                "",
            ]
        )
