"""Compile for every board and say what came of it: `make boards`.

    python benchmarks/boards.py -m fastdepth_pruned -o build/boards --json boards.jsonl

Each goes through `zoo compile` as a user would type it. Exit code 1 if one fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from zoo import console
from zoo.kernels.device import records


def main(
    model: Annotated[str, typer.Option("-m", "--model", help="A variant or a checkpoint folder.")] = "fastdepth_pruned",
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the artifacts.")] = Path("build/boards"),
    json_: Annotated[Path | None, typer.Option("--json", help="File for the rows, a line each.")] = None,
) -> None:
    """Compile for every device that is not this machine's class."""
    rows = []
    boards = [record for record in records() if record.board]
    with console.progress("compiling") as tick:
        for i, record in enumerate(boards):
            tick(record.name, i, len(boards))
            rows.append(row(model, record.name, out / record.name))
    if json_:
        json_.write_text("".join(json.dumps(made) + "\n" for made in rows))
    console.heading(f"{model}, compiled on this machine; nothing here was run on its board")
    table = console.table("device", "MB ", "tuned ", "imported ", "default ", "checked", "error m ", "s ")
    for made in rows:
        if "error" in made:
            table.add_row(made["device"], "", "", "", "", f"failed: {made['error']}", "", "")
            continue
        knobs = (str(made["knobs"].get(name, 0)) for name in ("measured", "imported", "default"))
        error = made["max_abs_error_m"]
        checked = (made["checked"] or "no", "" if error is None else f"{error:.0e}", f"{made['seconds']:.0f}")
        table.add_row(made["device"], f"{made['size_bytes'] / 1e6:.1f}", *knobs, *checked)
    console.out.print(table)
    raise typer.Exit(int(any("error" in made for made in rows)))


def row(model: str, device: str, folder: Path) -> dict[str, Any]:
    """What `zoo compile --json` says, and how long it took; or why it failed."""
    began = time.monotonic()
    command = [sys.executable, "-m", "zoo", "compile", "-m", model, "--device", device, "-o", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"device": device, "error": done.stderr.strip().removeprefix("error: ")[-300:]}
    made: dict[str, Any] = json.loads(done.stdout)
    return made | {"seconds": time.monotonic() - began}


if __name__ == "__main__":
    typer.run(main)
