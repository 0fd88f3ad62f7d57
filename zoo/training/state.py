"""The state of a training run in one file: a line with the format and the sha256 of all that follows, then what torch saves."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from ..errors import ZooError
from ..files import read_bounded, write_atomic
from . import recipe_v1

FORMAT = "fastdepth-zoo training state 2"
LARGEST = 2**30  # bytes
ADVICE = "delete it to begin the run again (the weights beside it stay), or choose another folder"
PARTS_V1 = {"trainee": "model", "average": "ema", "adam": "adamw", "muon": "muon"}


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a state: plain data and tensors. The file appears whole or not at all."""
    content = io.BytesIO()
    torch.save(state, content)
    write_atomic(path, _head(content.getvalue()) + content.getvalue())


def read(path: Path, device: torch.device) -> dict[str, Any]:
    """What `write` was given, also of version 1. Raises ZooError, with what to do, if the file is not as it was written."""
    content = read_bounded(path, LARGEST)
    head, _, payload = content.partition(b"\n")
    version_1 = content.startswith(b"PK")  # a bare archive
    try:
        if version_1:
            payload = content
            intact = zipfile.ZipFile(io.BytesIO(content)).testzip() is None
        else:
            intact = _head(payload) == head + b"\n"
        if not intact:
            raise ZooError(f"{path}: damaged (its digest differs); {ADVICE}")
        found: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True, map_location=device)
        return _from_version_1(found) if version_1 else found
    except ZooError:
        raise
    except Exception as error:  # on damaged archives torch and zipfile raise whatever they trip over
        raise ZooError(f"{path}: not a training state ({type(error).__name__}); {ADVICE}") from error


def _head(payload: bytes) -> bytes:
    return f"{FORMAT} {hashlib.sha256(payload).hexdigest()}\n".encode()


def _from_version_1(state: dict[str, Any]) -> dict[str, Any]:
    made = {PARTS_V1.get(name, name): value for name, value in state.items()}
    made["variant"], made["recipe"] = recipe_v1.parse_text(made.pop("of"))
    for group in made["muon"]["param_groups"]:
        group["weight_decay"] = group.pop("decay")
    return made
