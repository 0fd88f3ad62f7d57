"""A device from a bare target of TVM's: `zoo compile --target '{"kind": "llvm", …}'`. What the target leaves open follows from
what LLVM knows of the processor it names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ... import processor, tvm_private
from ...device import Device, parse, records
from ...errors import KernelError
from ...extras import require
from . import ARCHS

# Features that the loader can look for (runtime/features.c), in LLVM's words, and in the kernel's where those differ
FEATURES = {"sse4.2": "sse4.2", "fma": "fma", "avx2": "avx2"}
FEATURES |= {f"avx512{part}": f"avx512{part}" for part in ("f", "bw", "cd", "dq", "vl")}
FEATURES |= {"avx512vbmi": "avx512vbmi", "avx512vnni": "avx512_vnni", "avxvnni": "avx_vnni", "i8mm": "i8mm"}
FEATURES |= {"lse": "atomics", "fullfp16": "asimdhp", "dotprod": "asimddp"}
VECTORS = (("avx512f", 16, 32), ("avx2", 8, 16), ("", 4, 16))  # feature, lanes, registers; the first that is there
NEON = (4, 32)


def device_of(text: str) -> Device:
    """The device that a target in JSON describes, for a processor; its tuning log lies in the current folder. Raises
    KernelError."""
    require("tvm")
    try:
        given = json.loads(text)
        if not isinstance(given, dict):
            raise ValueError("it is not an object in braces")
        return replace(parse(_record(given)), folder=Path())
    except (ValueError, TypeError) as error:  # of JSON, of the record, or of TVM
        reason = str(error).splitlines()[0].partition(". Target creation")[0]
        raise KernelError(f"--target {text}: {reason}") from error


def _record(given: dict[str, Any]) -> dict[str, Any]:
    if given.get("kind") in ("cuda", "nvptx"):
        raise ValueError("a target does not say what a GPU has; write a device record (docs/adding_a_device.md)")
    if given.get("kind") != "llvm":
        raise ValueError('its "kind" must be "llvm"')
    arch = str(given.get("mtriple", processor.arch())).partition("-")[0]
    if arch not in ARCHS:
        raise ValueError(f'"mtriple" begins with {arch!r}; there are {" and ".join(ARCHS)}')
    if "mcpu" not in given:
        raise ValueError('"mcpu" is missing: the processor, in the words of LLVM')
    target = {"opt-level": 3, **given, "mtriple": f"{arch}-linux-gnu"}
    features = _features(target)
    base = [record for record in records() if record.arch == arch and not record.board][-1]
    lanes, registers = next((n, r) for feature, n, r in VECTORS if not feature or feature in features)
    if arch == "aarch64":
        lanes, registers = NEON
    changes = (word.removeprefix("+").replace("-", "no-", 1) for word in target.get("mattr", ()))
    words = "-".join(("target", target["mcpu"], *changes))
    return {
        "name": re.sub(r"[^a-z0-9]+", "-", words.lower())[:40],
        "summary": f"{target['mcpu']}, from --target",
        "kind": "cpu",
        "arch": arch,
        "target": target,
        "zig_target": base.zig_target,
        "simd_lanes": lanes,
        "simd_registers": registers,
        "cpu_features": [name for feature, name in FEATURES.items() if feature in features],
        "source": "the target given, and what LLVM knows of it",
        "board": True,
    }


def _features(target: dict[str, Any]) -> set[str]:
    """What the target's processor has, in LLVM's words."""
    if target["mcpu"] not in tvm_private.llvm_processors({**target, "mcpu": "generic", "mattr": []}):
        raise ValueError(f'LLVM knows no "mcpu" {target["mcpu"]!r} among {target["mtriple"]}')
    features = tvm_private.llvm_features(target)
    wanted = [word.removeprefix("+") for word in target.get("mattr", []) if word.startswith("+")]
    if unknown := [word for word in wanted if word not in features]:
        raise ValueError(f'LLVM knows no "mattr" {unknown[0]!r} of {target["mcpu"]}')
    return features
