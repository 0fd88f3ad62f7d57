"""Version 1 of recipes: in TOML, in the notes of checkpoints, and as the text by which training states and searches said
what they belong to. Read, never written."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from ..errors import ZooError

# field of version 1 -> field of version 2
PHASE = {
    **{name: name for name in ("side", "batch", "samples", "stages")},
    "whole": "full_decoder_every",
    "shares": "sampling_weights",
    "frozen": "freeze_bn",
    "zoom_power": "scale_bias",
    "blend": "mixup",
}
RECIPE = {
    **{name: name for name in ("phases", "seed")},
    "rate": "lr",
    "matrix_rate": "muon_lr",
    "decay": "weight_decay",
    "shares": "sampling_weights",
    "jitter": "color_jitter",
    "mixed": "amp",
}
SOURCES = ("frames", "photos", "rooms")  # the order of `shares`
OPTIONS = {"--frames": "--dataset", "--from": "--init"}  # of zoo train, in the commands of a card


def converted(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of version 2. Raises ZooError for fields that version 1 did not have."""
    made = _renamed(record, RECIPE)
    made["phases"] = [_renamed(phase, PHASE) for phase in made["phases"]]
    return made


def _renamed(record: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    for name in record:
        if name not in names:
            newer = "; a recipe with the names of version 2 begins with: version = 2" if name in names.values() else ""
            raise ZooError(f"not a recipe (unknown field {name!r}{newer})")
    made = {names[name]: value for name, value in record.items() if name != "shares" or value}
    if shares := made.get("sampling_weights"):
        if len(shares) != len(SOURCES):
            raise ZooError(f"shares {shares}: one each for {', '.join(SOURCES)}")
        made["sampling_weights"] = {name: float(share) for name, share in zip(SOURCES, shares, strict=True) if share}
    return made


def parse_text(text: str) -> tuple[str, dict[str, Any]]:
    """(the variant's name, the fields) of 'NAME Recipe(...)' or 'NAME Search(...)', as Python printed them. Nothing in it
    is run. Raises ZooError."""
    name, _, printed = text.partition(" ")
    try:
        return name, _value(ast.parse(printed, mode="eval").body)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ZooError(f"not the name of a run ({text[:60]!r}…)") from error


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        if node.keywords:
            return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
        (argument,) = node.args  # np.float64(1.5)
        return _value(argument)
    if isinstance(node, ast.Tuple):
        return tuple(map(_value, node.elts))
    return ast.literal_eval(node)


def notes(found: Mapping[str, Any]) -> dict[str, Any]:
    """The notes of a checkpoint with today's names; those that have them already are left as they are."""
    made = dict(found)
    if "run" in made:
        made["recipe"] = parse_text(made.pop("run"))[1]
    if "recipe" in made and "version" not in made["recipe"]:
        made["recipe"] = {"version": 2, **converted(made["recipe"])}
    for part in ("held_out", "rooms"):
        if "recipe" in made.get(part, {}):
            made[part] = {"protocol" if key == "recipe" else key: value for key, value in made[part].items()}
    if "commands" in made:
        made["commands"] = [" ".join(OPTIONS.get(word, word) for word in line.split(" ")) for line in made["commands"]]
    return made
