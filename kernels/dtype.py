"""Number formats: what a kernel's tensors hold, and how each library that meets them calls it. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import KernelError


@dataclass(frozen=True)
class DType:
    """One number format, and how closely a network computed in it must follow the eager one."""

    name: str  # in the names of workloads, in logs and manifests
    bytes: int
    numpy: str  # little-endian, as parameters are stored
    tvm: str
    dlpack: tuple[int, int]  # type code and bits, as DLPack counts them
    sums: str  # name of the format that sums are kept in
    tolerance: float  # metres between a compiled depth and the eager one, at most

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, name: str) -> DType:
        """The format of that name. Raises KernelError."""
        if name not in DTYPES:
            raise KernelError(f"unknown dtype {name!r}; known: {', '.join(DTYPES)}")
        return DTYPES[name]

    @property
    def accumulator(self) -> DType:
        """The format that sums are kept in."""
        return DTYPES[self.sums]


F32 = DType("f32", 4, "<f4", "float32", (2, 32), "f32", 1e-4)
DTYPES = {dtype.name: dtype for dtype in (F32,)}
