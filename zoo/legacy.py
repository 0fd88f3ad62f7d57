"""Reading torch pickles without running them: tensors are built here, everything else becomes an inert stand-in.

A pickle is a program. This reader knows the few functions that torch's own files call, by name, and does itself what they
would do; classes of networks are replaced by ones that only hold their state; any other name is refused. Two containers:
the legacy stream (torch < 1.6: magic, version, system, object, storages) and the zip archive.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from .errors import ZooError

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
DTYPES = {
    "FloatStorage": ("<f4", torch.float32),
    "DoubleStorage": ("<f8", torch.float64),
    "HalfStorage": ("<f2", torch.float16),
    "LongStorage": ("<i8", torch.int64),
    "IntStorage": ("<i4", torch.int32),
    "ByteStorage": ("u1", torch.uint8),
}
MODULES = ("torch.nn.", "models", "metrics", "__main__", "torchvision.", "imagenet.")  # whose classes may stand in
LARGEST = 2**29  # bytes of a file, and of anything in it


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

    def view(self, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        """The tensor at an offset, checked against the storage's end."""
        code, _ = DTYPES[self.kind]
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if all(size) else offset - 1
        if min((offset, *size, *stride), default=0) < 0 or last >= self.count:
            raise ValueError("a tensor reaches beyond its storage")
        if int(np.prod(size, dtype=object)) > self.count:
            raise ValueError("a tensor is larger than its storage")
        values = np.frombuffer(self.content, code)
        return torch.from_numpy(values.copy()).as_strided(size, stride, offset).clone()


class Pending:
    """A tensor whose storage has not been read yet."""

    def __init__(self, storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> None:
        if not isinstance(storage, Storage):
            raise ValueError("a tensor without a storage")
        self.storage, self.offset = storage, int(offset)
        self.size, self.stride = tuple(map(int, size)), tuple(map(int, stride))

    def tensor(self) -> Tensor:
        """The tensor, once its storage is filled."""
        return self.storage.view(self.offset, self.size, self.stride)


def _first(value: Any, *_: Any) -> Any:
    return value


def _blank(*_: Any) -> Inert:
    return Inert()


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
    ("torch", "Size"): tuple,
}


class Reader(pickle._Unpickler):  # the one in C lets a file choose how much memory its memo takes
    """An unpickler for which there is nothing to call but what stands above."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin1")
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for. Raises ZooError for names it does not know."""
        if (module, name) in KNOWN:
            known = KNOWN[module, name]
            return known if known in (OrderedDict, tuple) else partial(known)  # nothing of ours a file could alter
        if module == "torch" and name in DTYPES:
            return name
        if module.startswith(MODULES) and name.isidentifier():
            return type(name, (Inert,), {})
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


def read(path: Path) -> dict[str, Tensor]:
    """Every tensor of a .pth, .pt or .pth.tar file by its dotted name. Raises ZooError; never runs what is in it."""
    try:
        if path.stat().st_size > LARGEST:
            raise ZooError(f"{path}: larger than {LARGEST >> 20} MiB, so not a FastDepth checkpoint")
        file = io.BytesIO(path.read_bytes())
        value = _archive(file) if zipfile.is_zipfile(file) else _stream(file)
        found = {name: pending.tensor() for name, pending in _tensors(value, "", 0).items()}
    except ZooError as error:
        raise ZooError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    except OSError as error:
        raise ZooError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle trips over anything
        raise ZooError(f"{path}: damaged, or not a torch checkpoint ({type(error).__name__}: {error})") from error
    if not found:
        raise ZooError(f"{path}: no tensors in it")
    return found


def _stream(file: BinaryIO) -> Any:
    file.seek(0)
    if Reader(file).load() != MAGIC or Reader(file).load() != PROTOCOL:
        raise ValueError("neither a zip archive nor torch's legacy stream")
    Reader(file).load()  # byte order and sizes of the system that wrote it
    reader = Reader(file)
    value = reader.load()
    for key in Reader(file).load():
        storage = reader.storages[str(key)]
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.count:
            raise ValueError("a storage's size is not what was announced")
        storage.content = _exactly(file, count * np.dtype(DTYPES[storage.kind][0]).itemsize)
    return value


def _archive(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        folder = name.removesuffix("data.pkl")
        if archive.getinfo(name).file_size > LARGEST:
            raise ValueError("its pickle is too large")
        reader = Reader(io.BytesIO(archive.read(name)))
        value = reader.load()
        for key, storage in reader.storages.items():
            size = storage.count * np.dtype(DTYPES[storage.kind][0]).itemsize
            with archive.open(f"{folder}data/{key}") as content:
                storage.content = _exactly(content, size)
    return value


def _exactly(file: Any, size: int) -> bytes:
    content: bytes = file.read(size)
    if len(content) != size:
        raise ValueError("it ends too early")
    return content


def _tensors(value: Any, prefix: str, depth: int) -> dict[str, Pending]:
    """Tensors by dotted name: those of a state dict, of a module's parameters, buffers and children, of a dict of these."""
    if depth > 20:
        raise ValueError("nested too deeply")
    if isinstance(value, Inert):
        value = {k: v for part in ("_parameters", "_buffers", "_modules") for k, v in _items(value.state.get(part))}
    found: dict[str, Pending] = {}
    for key, item in _items(value):
        name = f"{prefix}{key}"
        if isinstance(item, Pending):
            found[name] = item
        elif isinstance(item, dict | Inert):
            inner = "" if key in ("model", "state_dict") else f"{name}."
            found |= _tensors(item, inner, depth + 1)
    return found


def _items(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
