"""Compile for every board and say what came of it: `make boards`.

    python benchmarks/boards.py -m fastdepth_pruned -o build/boards --json boards.jsonl

Each goes through `zoo compile` as a user would type it. Exit code 1 if one fails, is larger than 6.5 MB (library and
parameters; said of the pruned network) or takes longer than 3 minutes.
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
from zoo.kernels.device import device as find
from zoo.kernels.device import records
from zoo.kernels.runtime.fastdepth import PARAMETERS
from zoo.kernels.targets import target_of

LARGEST, LONGEST = 6_500_000, 180  # bytes, seconds


def main(
    model: Annotated[str, typer.Option("-m", "--model", help="A variant or a checkpoint folder.")] = "fastdepth_pruned",
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the artifacts.")] = Path("build/boards"),
    json_: Annotated[Path | None, typer.Option("--json", help="File for the rows, a line each.")] = None,
    only: Annotated[list[str] | None, typer.Argument(help="These devices; without any, all.")] = None,
) -> None:
    """Compile for every device."""
    rows = []
    devices = [record for record in records() if not only or record.name in only]
    with console.progress("compiling") as on_progress:
        for i, record in enumerate(devices):
            on_progress(record.name, i, len(devices))
            made = row(model, record.name, out / record.name)
            rows.append(made | {"kind": target_of(record).summary})
    if json_:
        json_.write_text("".join(json.dumps(made) + "\n" for made in rows))
    console.heading(f"{model}, compiled on this machine; boards: nothing here was run on them")
    table = console.table(
        "device", "kernels for", "MB ", "tuned ", "imported ", "default ", "checked", "error m ", "s "
    )
    for made in rows:
        if "error" in made:
            table.add_row(made["device"], made["kind"], "", "", "", "", f"failed: {made['error']}", "", "")
            continue
        knobs = (str(made["knobs"].get(name, 0)) for name in ("measured", "imported", "default"))
        error = made["max_abs_error_m"]
        checked = (made["checked"] or "no", "" if error is None else f"{error:.0e}", f"{made['seconds']:.0f}")
        table.add_row(made["device"], made["kind"], f"{made['needed_bytes'] / 1e6:.2f}", *knobs, *checked)
    console.out.print(table)
    beyond = [r["device"] for r in rows if "error" in r or r["needed_bytes"] > LARGEST or r["seconds"] > LONGEST]
    if beyond:
        console.complain(f"failed, or beyond {LARGEST / 1e6} MB or {LONGEST} s: {', '.join(beyond)}")
    raise typer.Exit(int(bool(beyond)))


def row(model: str, device: str, folder: Path) -> dict[str, Any]:
    """What `zoo compile --json` says, and how long it took; or why it failed."""
    began = time.monotonic()
    command = [sys.executable, "-m", "zoo", "compile", "-m", model, "--device", device, "-o", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"device": device, "error": done.stderr.strip().removeprefix("error: ")[-300:]}
    made: dict[str, Any] = json.loads(done.stdout)
    needed = sum((folder / name).stat().st_size for name in (target_of(find(device)).files()[0], PARAMETERS))
    return made | {"needed_bytes": needed, "seconds": time.monotonic() - began}


if __name__ == "__main__":
    typer.run(main)
