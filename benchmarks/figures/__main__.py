"""Draw the pictures of the documents.

python -m benchmarks.figures                     all of them, into docs/
python -m benchmarks.figures speed layers        some
python -m benchmarks.figures -o /tmp/pictures    elsewhere
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from zoo import console

from . import DOCS, save

NAMES = ("speed", "layers", "rooms", "training", "pruning", "tuner")


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(NAMES)}; default all.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for them.", show_default="docs")] = DOCS,
) -> None:
    """Draw pictures from kept rows; the same rows give the same bytes."""
    from zoo.visual.picture import write

    for name in names or NAMES:
        if name not in NAMES:
            console.complain(f"no picture {name!r}; there are {', '.join(NAMES)}")
            raise typer.Exit(2)
    out.mkdir(parents=True, exist_ok=True)
    for name in names or NAMES:
        made = importlib.import_module(f".{name}", __package__).draw()
        path = out / f"{name}.{'svg' if hasattr(made, 'savefig') else 'png'}"
        if hasattr(made, "savefig"):
            save(made, path)
        else:
            write(made, path)
        console.out.print(f"{path}: {path.stat().st_size / 1e3:.0f} kB", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
