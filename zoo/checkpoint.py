"""Checkpoints: a folder with `model.safetensors` and `config.json`. Written atomically, read strictly, verified always."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ZooError
from .files import put
from .variant import Variant, parse

if TYPE_CHECKING:
    from .network import FastDepth

FORMAT = "fastdepth-zoo/1"
WEIGHTS = "model.safetensors"
CONFIG = "config.json"


def digest(path: Path) -> str:
    """sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, sha256: str, size: int) -> None:
    """Raise ZooError unless the file has exactly that size and digest."""
    if not path.is_file():
        raise ZooError(f"{path}: no such file")
    found = path.stat().st_size
    if found != size:
        raise ZooError(f"{path}: {found} bytes, expected {size}; the file is damaged, delete it and fetch it again")
    if digest(path) != sha256:
        raise ZooError(f"{path}: sha256 differs from the pinned {sha256[:12]}…; delete the file and fetch it again")


def save(network: FastDepth, folder: Path, notes: dict[str, Any] | None = None) -> None:
    """Write a checkpoint folder; each file appears whole or not at all. `notes` says how the weights came to be."""
    from safetensors.torch import save as serialise

    tensors = {
        key: tensor.detach().cpu().contiguous()
        for key, tensor in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    variant = asdict(network.variant)
    del variant["weights"], variant["claims"]
    config = {"format": FORMAT, "variant": variant, "notes": notes or {}}
    put(folder / WEIGHTS, serialise(tensors, {"format": FORMAT}))
    put(folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode())


def config(folder: Path) -> tuple[Variant, dict[str, Any]]:
    """(variant, notes) of a checkpoint folder."""
    path = folder / CONFIG
    try:
        content = json.loads(path.read_text())
        if content.get("format") != FORMAT:
            raise ZooError(f"{path}: format {content.get('format')!r}, this version reads {FORMAT!r}")
        return parse(content["variant"]), content.get("notes", {})
    except FileNotFoundError as error:
        raise ZooError(f"{path}: no such file; a checkpoint folder holds {WEIGHTS} and {CONFIG}") from error
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ZooError(f"{path}: not a checkpoint's config ({error})") from error


def restore(network: FastDepth, path: Path) -> None:
    """Fill a network from a safetensors file: every tensor present, of its shape, finite; nothing left over."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ZooError(f"{path}: not a readable safetensors file ({error})") from error
    expected = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    wrong = [f"{k} is missing" for k in expected.keys() - tensors.keys()]
    wrong += [f"{k} is unknown" for k in tensors.keys() - expected.keys()]
    wrong += [
        f"{k} has shape {tuple(tensors[k].shape)} instead of {tuple(expected[k].shape)}"
        for k in expected.keys() & tensors.keys()
        if tensors[k].shape != expected[k].shape
    ]
    wrong += [f"{k} holds values that are not finite" for k, v in tensors.items() if not torch.isfinite(v).all()]
    if wrong:
        shown = "; ".join(sorted(wrong)[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise ZooError(f"{path}: does not fit variant {network.variant.name}: {shown}")
    network.load_state_dict(tensors, strict=False)  # strictness is checked above; only BatchNorm's counters are absent
