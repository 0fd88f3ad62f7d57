"""A workload is one step without its weights: what a kernel is compiled, tuned, logged and timed for.

Its name prints and parses: `depthwise5s1-f32-c56-112x112+relu`, `pointwise1s1-f32-c200-k256-14x14+relu+double+add`.
Sides are those of the convolution's input, height first; what follows a plus is done to the result in that order, after
the bias. What stands before an arrow is done to the input as it is read, inside its frame of zeros:
`double+add>depthwise5s1-f32-c56-112x112+relu`, `normalize>stem3s2-f32-c3-k32-224x224+relu6`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ..dtype import F32, DType
from ..errors import KernelError

KINDS = ("stem", "depthwise", "pointwise", "conv", "head", "pool")
PER_CHANNEL = ("depthwise", "pool")  # every channel of the result is made of one channel of the input
# what a network for small machines may have, many times over: searching and timing a kernel must come to an end
LARGEST = {"kernel_size": 31, "stride": 31, "cin": 2**14, "cout": 2**14, "height": 2**13, "width": 2**13}
EPILOGUE = ("relu", "relu6", "double", "add")
PROLOGUE = ("double", "add", "normalize")
NORMALIZE = (
    127 / 255,
    128 / 255,
)  # mean and deviation that "normalize" takes from the image, as EfficientNet-Lite was taught
_NAME = re.compile(
    r"((?P<prologue>[a-z0-9+]+)>)?(?P<kind>[a-z]+)(?P<kernel_size>\d+)s(?P<stride>\d+)-(?P<dtype>[a-z]+\d+)"
    r"-c(?P<cin>\d+)(-k(?P<cout>\d+))?-(?P<height>\d+)x(?P<width>\d+)(?P<epilogue>(\+[a-z0-9]+)*)"
)


@dataclass(frozen=True)
class Workload:
    """One convolution with its epilogue, or one pool, batch 1. `cin` and `cout` are channels, `height` and `width` the
    input's sides."""

    kind: str  # stem: planar in; head: planar out; the rest read and write channel blocks
    kernel_size: int
    stride: int
    cin: int
    cout: int
    height: int
    width: int
    epilogue: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    dtype: DType = F32

    def __str__(self) -> str:
        channels = f"c{self.cin}" + ("" if self.kind in PER_CHANNEL else f"-k{self.cout}")
        tail = "".join(f"+{name}" for name in self.epilogue)
        head = "+".join(self.prologue) + (">" if self.prologue else "")
        return f"{head}{self.kind}{self.kernel_size}s{self.stride}-{self.dtype}-{channels}-{self.height}x{self.width}{tail}"

    @classmethod
    def parse(cls, name: str) -> Workload:
        """The workload that prints so. Raises KernelError for anything else."""
        match = _NAME.fullmatch(name)
        if not match or match["kind"] not in KINDS or (match["cout"] is None) != (match["kind"] in PER_CHANNEL):
            raise KernelError(f"{name!r} is not a workload, such as 'depthwise5s1-f32-c56-112x112+relu'")
        epilogue = tuple(match["epilogue"].split("+")[1:])
        prologue = tuple((match["prologue"] or "").split("+")) if match["prologue"] else ()
        for found, known in ((epilogue, EPILOGUE), (prologue, PROLOGUE)):
            if unknown := [word for word in found if word not in known]:
                raise KernelError(f"{name!r}: unknown operation {unknown[0]!r}; known: {', '.join(known)}")
        dtype = DType.parse(match["dtype"])
        digits = {size: match[size] or match["cin"] for size in LARGEST}
        for size, most in LARGEST.items():
            if len(digits[size]) > len(str(most)) or not 1 <= int(digits[size]) <= most:
                raise KernelError(f"{name[:80]!r} is not a workload: {size} is to be 1 to {most}")
        sizes = {size: int(value) for size, value in digits.items()}
        return cls(match["kind"], epilogue=epilogue, prologue=prologue, dtype=dtype, **sizes)

    @property
    def conv_sides(self) -> tuple[int, int]:
        """Height and width of the convolution's result, before any doubling."""
        reach = 2 * (self.kernel_size // 2) - self.kernel_size
        return (self.height + reach) // self.stride + 1, (self.width + reach) // self.stride + 1

    @property
    def out_sides(self) -> tuple[int, int]:
        """Height and width of what is written."""
        height, width = self.conv_sides
        factor = 2 if "double" in self.epilogue else 1
        return height * factor, width * factor

    @property
    def in_sides(self) -> tuple[int, int]:
        """Height and width of what is read, before any doubling of it."""
        factor = 2 if "double" in self.prologue else 1
        return self.height // factor, self.width // factor

    @property
    def skip_sides(self) -> tuple[int, int] | None:
        """Height and width of the tensor that is added, on reading or on writing, or None."""
        if "add" in self.prologue:
            return self.height, self.width
        return self.out_sides if "add" in self.epilogue else None

    @property
    def bare(self) -> Workload:
        """The convolution alone. A head that doubles what it writes stands for one that runs after the doubling."""
        factor = 2 if self.kind == "head" and "double" in self.epilogue else 1
        return replace(self, epilogue=(), prologue=(), height=self.height * factor, width=self.width * factor)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        if self.kind == "pool":
            return 0
        height, width = self.conv_sides
        return self.cout * height * width * self.kernel_size**2 * (1 if self.kind == "depthwise" else self.cin)
