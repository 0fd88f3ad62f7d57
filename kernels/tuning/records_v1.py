"""Lines of version 1, which logs that people keep may hold: the same records, in the words of then."""

from __future__ import annotations

from typing import Any

FIELDS = {"source": "provenance", "host": "processor", "schedule": "schedule_version"}
KNOBS = {
    "cpu": {"rows": "tile_h", "cols": "tile_w", "blocks": "tile_oc", "strip": "task_h"},
    "cuda": {
        **{"across": "threads_oc", "down": "threads_h", "wide": "threads_w"},
        **{"channels": "thread_oc", "rows": "thread_h", "columns": "thread_w", "chunk": "tile_ic"},
        **{"apart_channels": "vthread_oc", "apart_rows": "vthread_h", "apart_columns": "vthread_w"},
    },
}


def converted(fields: dict[str, Any]) -> dict[str, Any]:
    """A line's fields in the words of version 2, if they are of version 1; others as they are.

    Knobs of a schedule that is not ours (schedule 0) keep their names. Of the kinds, only a GPU's settings had `down`.
    """
    if "version" in fields:
        return fields
    made = {FIELDS.get(name, name): value for name, value in fields.items()} | {"version": 2}
    if made["schedule_version"]:
        names = KNOBS["cuda" if "down" in made["knobs"] else "cpu"]
        made["knobs"] = {names.get(name, name): value for name, value in made["knobs"].items()}
    return made
