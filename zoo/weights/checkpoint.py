"""Checkpoints: a folder with `model.safetensors` and `config.json`. Written atomically, read strictly, verified always."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ZooError
from ..files import check, opened, read_bounded, write_atomic
from ..variant import Variant, parse

if TYPE_CHECKING:
    from ..model.network import FastDepth

FORMAT = "fastdepth-zoo/1"
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FILES = (CONFIG, WEIGHTS)
TENSORS = {"torch.float32": "F32", "torch.int8": "I8", "torch.int32": "I32"}  # torch's names, and safetensors'
LARGEST_CONFIG = 2**20  # bytes


def digest(path: Path) -> str:
    """sha256 of a file, hexadecimal."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, sha256: str, size: int, advice: str = "delete the file and fetch it again") -> None:
    """Raise ZooError, with advice, unless the file has exactly that size and digest."""
    if not path.is_file():
        raise ZooError(f"{path}: no such file")
    found = path.stat().st_size
    if found != size:
        raise ZooError(f"{path}: {found} bytes, expected {size}; {advice}")
    if digest(path) != sha256:
        raise ZooError(f"{path}: sha256 differs from the pinned {sha256[:12]}…; {advice}")


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
    write_atomic(
        folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode()
    )  # first, as it says whose the weights are
    write_atomic(folder / WEIGHTS, serialise(tensors, {"format": FORMAT}))


def config(folder: Path) -> tuple[Variant, dict[str, Any]]:
    """(variant, notes) of a checkpoint folder. What the record says of weights is the file's own word, and not taken."""
    path = folder / CONFIG
    try:
        if not path.exists():
            raise ZooError(f"{path}: no such file; a checkpoint folder holds {WEIGHTS} and {CONFIG}")
        content = json.loads(read_bounded(path, LARGEST_CONFIG))
        if content.get("format") != FORMAT:
            raise ZooError(f"{path}: format {content.get('format')!r}, this version reads {FORMAT!r}")
        record = {key: value for key, value in content["variant"].items() if key not in ("weights", "claims")}
        return parse(record), content.get("notes", {})
    except ZooError as error:
        raise ZooError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise ZooError(f"{path}: not a checkpoint's config ({error})") from error


def noted(key: str) -> Callable[[Path], bool]:
    """Whether a file lies in a checkpoint folder whose notes have this key, which tells what wrote the folder."""

    def ours(path: Path) -> bool:
        notes = config(path.parent)[1]
        return isinstance(notes, dict) and key in notes

    return ours


def restore(network: FastDepth, path: Path) -> None:
    """Fill a network from a safetensors file: every tensor present, of its shape and type, finite; nothing left over.

    The header is judged before any tensor is read, so that a file cannot choose how much memory it takes.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    expected = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    tensors = {}
    check(path)
    try:
        with safe_open(path, "pt") as file:
            found = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
            wrong = [f"{k} is missing" for k in expected.keys() - found.keys()]
            wrong += [f"{k} is unknown" for k in found.keys() - expected.keys()]
            for k in expected.keys() & found.keys():
                shape, dtype = tuple(found[k].get_shape()), found[k].get_dtype()
                if shape != tuple(expected[k].shape):
                    wrong.append(f"{k} has shape {shape} instead of {tuple(expected[k].shape)}")
                elif dtype != TENSORS[str(expected[k].dtype)]:
                    wrong.append(f"{k} holds {dtype} instead of {TENSORS[str(expected[k].dtype)]}")
            if not wrong:
                tensors = {key: file.get_tensor(key) for key in expected}
    except (SafetensorError, OSError) as error:
        raise ZooError(f"{path}: not a readable safetensors file ({error})") from error
    wrong += [f"{k} holds values that are not finite" for k, v in tensors.items() if not torch.isfinite(v).all()]
    if wrong:
        shown = "; ".join(sorted(wrong)[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise ZooError(f"{path}: does not fit variant {network.variant.name}: {shown}")
    network.load_state_dict(tensors, strict=False)  # strictness is checked above; only BatchNorm's counters are absent
