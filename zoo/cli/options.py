"""Options that several commands share, each declared once, and how examples stand under a command's help."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ZooError

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]
Model = Annotated[str, typer.Option("-m", "--model", help="A variant (zoo list) or a checkpoint folder.")]
Threads = Annotated[int, typer.Option(min=1, max=1024, help="Threads to use.")]
Artifact = Annotated[Path, typer.Option(help="A folder made by zoo compile.")]
InputSides = Annotated[str | None, typer.Option("--input", help="Sides, HEIGHTxWIDTH, multiples of 32.")]
Layers = Annotated[bool, typer.Option("--layers", help="Show every layer.")]
TvmTarget = Annotated[str | None, typer.Option("--target", help="Instead of a device: a target of TVM's, as JSON.")]

Dataset = Annotated[
    Path,
    typer.Option(
        "--dataset", help="Folder with rgb/ and depth/ (16-bit PNG), .h5 file or folder of them, or .mat file."
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(min=1e-6, help="Units of depth to the metre; default 1000 for pictures, 1 for .h5 and .mat."),
]
Camera = Annotated[
    str | None,
    typer.Option(
        "--camera",
        help="The lens: 69deg, 26mm (35-mm equivalent), exif, or a camera's file (zoo calibrate, ROS, OpenCV, COLMAP). "
        "Default: what EXIF tells.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write over files that this command did not write before.")
]
Photos = Annotated[Path | None, typer.Option(help="Folder of photos without depth, at any depth of folders.")]
Teacher = Annotated[
    list[str] | None,
    typer.Option(help="Variant or checkpoint folder that labels the photos; of several, the mean in log depth."),
]
Mirror = Annotated[bool, typer.Option("--mirror", help="Show the teacher each view and its mirror image.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for the data made ready; default OUT/data.")]
Namespace = Annotated[
    str | None, typer.Option(envvar="ZOO_NAMESPACE", help="The Hub account that serves the variants.")
]

# What options were called before: (command, old name) -> new name. Asking for an old one is answered with the new one.
RENAMED = {
    ("train", "--frames"): "--dataset",
    ("train", "--from"): "--init",
    ("train", "--on"): "--device",
    ("eval", "--frames"): "--dataset",
    ("eval", "--recipe"): "--protocol",
    ("prune", "--frames"): "--dataset",
}


def examples(*lines: str) -> str:
    """An epilog of commands to copy."""
    return "[bold]Examples[/bold]\n\n" + "\n\n".join(lines)


def refuse_renamed(words: list[str]) -> None:
    """Raise ZooError, with the new name, where a command line uses the old name of an option."""
    command = next((word for word in words if not word.startswith("-")), "")
    for word in words:
        option = word.partition("=")[0]
        if new := RENAMED.get((command, option)):
            raise ZooError(f"zoo {command}: {option} is now called {new}")


def point(text: str) -> tuple[int, int]:
    """X,Y as two numbers. Raises ZooError."""
    found = re.fullmatch(r"(\d{1,6}),(\d{1,6})", text.strip())
    if not found:
        raise ZooError(f"{text[:40]}: give a point as X,Y in pixels, such as 320,240")
    return int(found[1]), int(found[2])


def refuse_addresses(words: list[str]) -> None:
    """Raise ZooError where a command other than predict is handed an address: it would look for a file of that name."""
    command = next((word for word in words if not word.startswith("-")), "")
    for word in words if command != "predict" else ():
        if word.lower().startswith(("http://", "https://")):
            raise ZooError(f"zoo {command}: {word}: only zoo predict takes addresses; download it first")


def sides(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH as two numbers. Raises ZooError."""
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()) or any(
        int(s) % 32 or not 32 <= int(s) <= 2048 for s in (height, width)
    ):
        raise ZooError(f"--input {text}: give HEIGHTxWIDTH, both multiples of 32, at most 2048")
    return int(height), int(width)
