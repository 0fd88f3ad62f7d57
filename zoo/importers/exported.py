"""The tensors of torch.export's archives (.pt2, torch >= 2.8), by their table of weights; nothing in them is run.

The layout is that of torch/export/pt2_archive/constants.py, the numbers of data types those of
torch/_export/serde/schema.py (`ScalarType`), both of torch 2.13.
"""

from __future__ import annotations

import json
from zipfile import ZipFile

import numpy as np

from ..errors import ZooError
from ..files import LARGEST
from .unpickle import DTYPES, Pending, Storage

TABLE = "data/weights/model_weights_config.json"
MARKS = ("/archive_format", "serialized_exported_program.json")  # of today's archives, and of those before torch 2.8
LONGEST = 2**21  # bytes of the table: a network's takes a thirtieth
KINDS = {
    1: "ByteStorage",
    4: "IntStorage",
    5: "LongStorage",
    6: "HalfStorage",
    7: "FloatStorage",
    8: "DoubleStorage",
    13: "BFloat16Storage",
}


def is_one(archive: ZipFile) -> bool:
    """Whether a zip archive is one of torch.export's."""
    return any(name.endswith(MARKS) for name in archive.namelist())


def tensors(archive: ZipFile) -> dict[str, Pending]:
    """The parameters and buffers by name, their storages filled. Raises ZooError, ValueError, KeyError, TypeError."""
    name = next((name for name in archive.namelist() if name.endswith(TABLE)), None)
    if name is None:
        raise ZooError(
            "an archive of torch.export that keeps its weights as a program; import the weights it was made of"
        )
    with archive.open(name) as file:
        table = json.loads(_bounded(file.read(LONGEST + 1), LONGEST))["config"]
    folder, left = name.removesuffix(TABLE.rpartition("/")[2]), LARGEST
    found: dict[str, Pending] = {}
    read: dict[str, Storage] = {}
    for key, entry in table.items():
        if entry["use_pickle"]:
            raise ZooError(f"{key} is a tensor of a special kind; import the weights the archive was made of")
        meta, place = entry["tensor_meta"], str(entry["path_name"])
        if meta["dtype"] not in KINDS:
            raise ZooError(f"{key} has data type {meta['dtype']} of torch's; convert the network to float32")
        if place not in read:
            with archive.open(folder + place) as file:
                content = _bounded(file.read(left + 1), left)
            left -= len(content)
            read[place] = _storage(KINDS[meta["dtype"]], content)
        sizes, strides = ([side["as_int"] for side in meta[part]] for part in ("sizes", "strides"))
        found[key] = Pending(read[place], meta["storage_offset"]["as_int"], sizes, strides)
    return found


def _bounded(content: bytes, most: int) -> bytes:
    if len(content) > most:
        raise ValueError("larger than any network")
    return content


def _storage(kind: str, content: bytes) -> Storage:
    storage = Storage(kind, len(content) // np.dtype(DTYPES[kind][0]).itemsize)
    storage.content = content[: storage.bytes]
    return storage
