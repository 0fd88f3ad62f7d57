"""WebAssembly with 128-bit vectors: browsers, Node, Deno."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...dtype import F32
from ...errors import KernelError
from ..base import Description, Facts, OnProgress, Timer
from ..simd import Simd

if TYPE_CHECKING:
    from ...bench.peak import Peak
    from ...ir.plan import Array
    from ...ir.program import Program

WEB = Path(__file__).parent / "web"  # the JavaScript module and the page, which every artifact holds a copy of
# Modules that compute the same -> what TVM is told beyond the device's target. Relaxed SIMD has a fused multiply-add, which
# gains where multiplications and additions share their units; without LLVM's loop strength reduction offsets fold into loads.
# Whoever opens the artifact takes it where it can.
MODULES: dict[str, dict[str, list[str]]] = {
    "fastdepth.wasm": {},
    "fastdepth-relaxed.wasm": {"mattr": ["+relaxed-simd"], "cl-opt": ["-disable-lsr:bool=true"]},
}


class Wasm(Simd):
    """Kernels that are object files, linked into a module for each set of instructions that hosts have."""

    version = 1
    stores = (F32.name, "f16")

    @classmethod
    def files(cls) -> tuple[str, ...]:
        """The modules, their JavaScript, the page."""
        return (*reversed(MODULES), *sorted(path.name for path in WEB.iterdir()))

    def validate(self) -> None:
        """Raise ValueError unless TVM is told to make WebAssembly with vectors, for the processor that it is."""
        must = {"kind": "llvm", "mtriple": "wasm32-unknown-unknown", "mattr": ["+simd128"]}
        if self.device.arch != "wasm32" or not must.items() <= self.device.target.items():
            raise ValueError(f"arch must be 'wasm32', and target must hold {must}")

    @property
    def runs_here(self) -> bool:
        """No processor is such a device; a host such as Node runs the modules, `run_elsewhere`."""
        return False

    @property
    def emulator(self) -> str:
        """Node."""
        return "node"

    @property
    def command(self) -> str:
        """Any server of static files."""
        return "python3 -m http.server, and open the page it serves"

    def package(self, program: Program, facts: Description, work: Path, made: Path, on_progress: OnProgress) -> Facts:
        """The network as two modules, and what opens and shows it."""
        from .package import package

        return package(program, facts, work, made, on_progress)

    def run_elsewhere(
        self, folder: Path, program: Program, image: Array, on_progress: OnProgress
    ) -> tuple[Array, str] | None:
        """Every module that this machine's Node can run, through the artifact's own JavaScript."""
        from .node import run

        return run(folder, self.emulator, image)

    def timer(self, how: str) -> Timer:
        """Not yet."""
        raise KernelError(f"{self.device.name}: kernels for WebAssembly cannot be timed {how} yet")

    def peak(self, threads: int) -> Peak:
        """Not yet."""
        raise KernelError(f"{self.device.name}: what a WebAssembly host can do at most cannot be measured yet")


TARGET = Wasm
