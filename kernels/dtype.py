"""Number formats: what a kernel's tensors hold, and how each library that meets them calls it. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import KernelError


@dataclass(frozen=True)
class DType:
    """One number format, and how closely a network computed in it must follow the eager one.

    Image and depth are float32 whatever a network computes in: the first layer and the last convert.
    """

    name: str  # in the names of workloads, in logs and manifests
    bytes: int
    numpy: str  # little-endian, as parameters are stored
    tvm: str
    dlpack: tuple[int, int]  # type code and bits, as DLPack counts them
    sums: str  # name of the format that sums are kept in
    weights: str  # name of the format of weights
    tolerance: float  # metres between a compiled depth and the eager one, at most
    quantized: bool = False  # integers that stand for real numbers by a scale

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, name: str) -> DType:
        """The format of that name that a network can be computed in. Raises KernelError."""
        if name not in DTYPES:
            raise KernelError(f"unknown dtype {name!r}; known: {', '.join(DTYPES)}")
        return DTYPES[name]

    @property
    def accumulator(self) -> DType:
        """The format that sums are kept in, and biases."""
        return FORMATS[self.sums]

    @property
    def weight(self) -> DType:
        """The format of weights."""
        return FORMATS[self.weights]


F32 = DType("f32", 4, "<f4", "float32", (2, 32), "f32", "f32", 1e-4)
INT8 = DType("int8", 1, "|u1", "uint8", (1, 8), "i32", "s8", 1e-5, quantized=True)  # hidden results are not negative
S8 = DType("s8", 1, "|i1", "int8", (0, 8), "i32", "s8", 0)
I32 = DType("i32", 4, "<i4", "int32", (0, 32), "i32", "i32", 0)
FORMATS = {dtype.name: dtype for dtype in (F32, INT8, S8, I32)}
DTYPES = {dtype.name: dtype for dtype in (F32, INT8)}  # that a network can be computed in


def format_of(values: Any) -> DType:
    """The format of an array's numbers, by numpy's dtype."""
    return next(dtype for dtype in FORMATS.values() if values == dtype.numpy)
