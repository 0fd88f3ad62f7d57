"""A pickle without its power: tensors are built here, everything else becomes an inert stand-in.

A pickle is a program. This reader knows the few functions that torch's own files call, by name, and does itself what they
would do; classes of networks are replaced by ones that only hold their state; any other name is refused. How much memory
a file may take, and how deep it may go, is not the file's to say.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..errors import ZooError
from ..files import LARGEST

DTYPES = {
    "FloatStorage": ("<f4", torch.float32),
    "DoubleStorage": ("<f8", torch.float64),
    "HalfStorage": ("<f2", torch.float16),
    "BFloat16Storage": ("<i2", torch.bfloat16),  # which numpy has no name for
    "LongStorage": ("<i8", torch.int64),
    "IntStorage": ("<i4", torch.int32),
    "ByteStorage": ("u1", torch.uint8),
}
MODULES = (
    "torch.nn.",
    "__torch__.",
    "models",
    "metrics",
    "__main__",
    "torchvision.",
    "imagenet.",
)  # whose classes may stand in
LONGEST = 2**21  # bytes of a pickle without its storages: a network's classes and their source take a tenth of that
MOST_CLASSES = 500
MOST_TUPLES = 20_000  # a network has some 2,000; what hashes a tuple in a tuple in a tuple … ends the process
TUPLES = (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)
# no checkpoint has these; the first takes as much memory as it says
REFUSED = (pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.EXT1, pickle.EXT2, pickle.EXT4)


class Inert:
    """Stands for an object of a class that is not here: keeps its state, does nothing."""

    def __init__(self, *_: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}

    def __setitem__(self, *_: Any) -> None:
        """Items of a stand-in are of no use."""


class Storage:
    """A run of numbers that tensors look into; filled once the stream gives its bytes."""

    def __init__(self, kind: str, count: int) -> None:
        self.kind, self.count, self.content = kind, count, b""

    @property
    def bytes(self) -> int:
        """What it takes."""
        return self.count * np.dtype(DTYPES[self.kind][0]).itemsize

    def view(self, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        """The tensor at an offset, checked against the storage's end."""
        code, dtype = DTYPES[self.kind]
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if all(size) else offset - 1
        if min((offset, *size, *stride), default=0) < 0 or last >= self.count:
            raise ValueError("a tensor reaches beyond its storage")
        if int(np.prod(size, dtype=object)) > self.count:
            raise ValueError("a tensor is larger than its storage")
        values = np.frombuffer(self.content, code)[offset:]
        steps = tuple(step * values.itemsize for step in stride)
        found = torch.from_numpy(np.lib.stride_tricks.as_strided(values, size, steps, writeable=False).copy())
        return found.view(dtype)


class Pending:
    """A tensor whose storage has not been read yet."""

    def __init__(self, storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> None:
        if not isinstance(storage, Storage):
            raise ValueError("a tensor without a storage")
        self.storage, self.offset = storage, int(offset)
        self.size, self.stride = tuple(map(int, size)), tuple(map(int, stride))

    @property
    def bytes(self) -> int:
        """What the tensor would take."""
        return int(np.prod(self.size, dtype=object)) * np.dtype(DTYPES[self.storage.kind][0]).itemsize

    def tensor(self) -> Tensor:
        """The tensor, once its storage is filled."""
        return self.storage.view(self.offset, self.size, self.stride)


def _first(value: Any, *_: Any) -> Any:
    return value


def _blank(*_: Any) -> Inert:
    return Inert()


def _size(sides: Any) -> tuple[int, ...]:
    return tuple(map(int, sides))


class Program:
    """A pickle's bytes, of which only so many may be read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.left = file, LONGEST

    def read(self, count: int) -> bytes:
        """So many bytes, or fewer at the end. Raises ValueError beyond the limit."""
        return self._counted(self.file.read(min(count, self.left + 1)))

    def readline(self) -> bytes:
        """Up to the end of the line. Raises ValueError beyond the limit."""
        return self._counted(self.file.readline(self.left + 1))

    def _counted(self, content: bytes) -> bytes:
        self.left -= len(content)
        if self.left < 0:
            raise ValueError("a pickle longer than any network's")
        return content


KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): Pending,
    ("torch._utils", "_rebuild_tensor_v2"): Pending,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch.nn.parameter", "Parameter"): _first,
    ("copyreg", "_reconstructor"): _blank,
    ("copy_reg", "_reconstructor"): _blank,
    ("builtins", "object"): _blank,
    ("__builtin__", "object"): _blank,
    ("builtins", "set"): _blank,
    ("__builtin__", "set"): _blank,
    ("numpy.core.multiarray", "scalar"): _blank,
    ("numpy._core.multiarray", "scalar"): _blank,
    ("numpy", "dtype"): _blank,
    ("torch", "Size"): _size,
}


def _counted(load: Callable[[Any], None]) -> Callable[[Reader], None]:
    def counted(reader: Reader) -> None:
        reader.tuples += 1
        if reader.tuples > MOST_TUPLES:
            raise ValueError("more tuples than any network has")
        load(reader)

    return counted


class Reader(pickle._Unpickler):  # the one in C lets a file choose how much memory its memo takes
    """An unpickler for which there is nothing to call but what stands above."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(Program(file), encoding="latin1")
        self.storages: dict[str, Storage] = {}
        self.classes: dict[str, type[Inert]] = {}
        self.tuples = 0

    dispatch: ClassVar[dict[int, Any]] = {
        code: _counted(load) if bytes([code]) in TUPLES else load
        for code, load in pickle._Unpickler.dispatch.items()
        if bytes([code]) not in REFUSED
    }

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for. Raises ZooError for names it does not know."""
        if (module, name) in KNOWN:
            known = KNOWN[module, name]
            return known if known is OrderedDict else partial(known)  # nothing of ours a file could alter
        if module == "torch" and name in DTYPES:
            return name
        if module.startswith(MODULES) and name.isidentifier():
            if len(self.classes) == MOST_CLASSES:
                raise ValueError("more classes than any network has")
            return self.classes.setdefault(name, type(name, (Inert,), {}))
        raise ZooError(f"its pickle asks for {module}.{name}, which no FastDepth checkpoint needs; refused")

    def persistent_load(self, key: Any) -> Any:
        """A storage by its key, or a module's class by its source, which is not looked at."""
        if isinstance(key, tuple) and len(key) >= 5 and key[0] == "storage" and key[1] in DTYPES:
            name, count = str(key[2]), int(key[4])
            if not 0 <= count <= LARGEST // np.dtype(DTYPES[key[1]][0]).itemsize:
                raise ValueError("a storage of impossible size")
            return self.storages.setdefault(name, Storage(key[1], count))
        if isinstance(key, tuple) and len(key) >= 2 and key[0] == "module":
            return key[1]
        raise ValueError("an unknown persistent object")
