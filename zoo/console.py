"""What a person sees in a terminal. Results go to stdout, everything else to stderr; nothing moves unless it is a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def show_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(dumps(value))


def dumps(value: Any) -> str:
    """A JSON document as people like to read it."""
    return json.dumps(value, indent=2) + "\n"


def say(message: str) -> None:
    """A line for people, on stderr, markup and all."""
    err.print(message, soft_wrap=True)


def complain(message: str) -> None:
    """One line that says what is wrong, with nothing in it that could steer a terminal."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(message.split()))
    err.print(Text.assemble(("error: ", "bold red"), line), soft_wrap=True)


def heading(text: str) -> None:
    """A line above a table."""
    out.print(Text(text, style="bold"), soft_wrap=True)


def table(*columns: str, header: bool = True) -> Table:
    """A table in the project's one style; a column whose name ends in a space is aligned right."""
    made = Table(box=None, pad_edge=False, header_style="bold", show_header=header)
    for name in columns:
        made.add_column(name.strip(), justify="right" if name.endswith(" ") else "left", overflow="fold")
    return made


@contextmanager
def progress(label: str) -> Generator[Any]:
    """A bar on stderr, or nothing where stderr is no terminal: yields tick(what, done, total)."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[what]}"),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with bar:
        task = bar.add_task(label, total=None, what="")

        def tick(what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None, what=what)

        yield tick
