"""PyTorch files of any age, read without running them (see `unpickle`). Two containers: the legacy stream (torch < 1.6:
magic, version, system, object, storages) and the zip archive, which TorchScript's files are too: the code in them is
passed over.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from ..errors import ZooError
from ..files import LARGEST, read_bounded
from . import exported
from .unpickle import LONGEST, Inert, Pending, Reader

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MOST_TENSORS = 5_000  # a network has 228


def read(path: Path) -> dict[str, Tensor]:
    """Every tensor of a .pth, .pt, .pth.tar or .pt2 file by its dotted name. Raises ZooError; never runs what is in it."""
    try:
        file = io.BytesIO(read_bounded(path))
        value = _archive(file) if zipfile.is_zipfile(file) else _stream(file)
        pending = _tensors(value)
        if sum(tensor.bytes for tensor in pending.values()) > LARGEST:
            raise ValueError("its tensors are larger than any network")
        found = {name: tensor.tensor() for name, tensor in pending.items()}
    except ZooError as error:
        raise ZooError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
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
        storage.content = _exactly(file, storage.bytes)
    return value


def _archive(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        if exported.is_one(archive):
            return exported.tensors(archive)
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        folder = name.removesuffix("data.pkl")
        with archive.open(name) as program:
            reader = Reader(io.BytesIO(program.read(LONGEST + 1)))
        value = reader.load()
        if sum(storage.bytes for storage in reader.storages.values()) > LARGEST:
            raise ValueError("its storages are larger than any network")
        for key, storage in reader.storages.items():
            with archive.open(f"{folder}data/{key}") as content:
                storage.content = _exactly(content, storage.bytes)
    return value


def _exactly(file: Any, size: int) -> bytes:
    content: bytes = file.read(size)
    if len(content) != size:
        raise ValueError("it ends too early")
    return content


def _tensors(value: Any) -> dict[str, Pending]:
    """Tensors by dotted name: those of a state dict, of a module's parameters, buffers and children, of a dict of these.

    A dict in a dict in a dict, each ten times over, is small in a file and endless to walk; so the walk has an end.
    """
    found: dict[str, Pending] = {}
    visits = 0

    def walk(value: Any, prefix: str, depth: int) -> None:
        nonlocal visits
        if depth > 20:
            raise ValueError("nested too deeply")
        if isinstance(value, Inert):
            state, parts = value.state, ("_parameters", "_buffers", "_modules")
            inside = {k: v for part in parts for k, v in _items(state.get(part))}
            value = inside or state  # TorchScript has no such parts: all attributes stand side by side
        for key, item in _items(value):
            visits += 1
            if visits > 10 * MOST_TENSORS or len(found) > MOST_TENSORS:
                raise ValueError("more in it than in any network")
            name = f"{prefix}{key}"
            if isinstance(item, Pending):
                found[name] = item
            elif isinstance(item, dict | Inert):
                walk(item, prefix if key in ("model", "state_dict") else f"{name}.", depth + 1)

    walk(value, "", 0)
    return found


def _items(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
