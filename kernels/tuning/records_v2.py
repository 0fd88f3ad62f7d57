"""Lines of version 2, whose `processor` was what a machine calls itself ("AMD EPYC"): that says too little to tell cores apart.

The rule: a record of a board is of the board's own processor, as its device record names it for the compiler; one of a class of
machines (x86-64-v4) or of a device that the zoo does not know is of an unknown processor, until `zoo log merge --processor`
says which it was. What stood there becomes the machine's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def converted(fields: dict[str, Any], boards: Mapping[str, str]) -> dict[str, Any]:
    """A line's fields in the words of version 3, if they are of version 2; others as they are. `boards` holds the processor of
    every board by its device's name."""
    if fields.get("version") != 2:
        return fields
    made = dict(fields) | {"version": 3}
    name = made.pop("processor")
    made["machine"] = {"processor": boards.get(made["device"], "unknown"), "name": name}
    return made
