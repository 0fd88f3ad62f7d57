"""What a person sees in a terminal. Results go to stdout, everything else to stderr; nothing moves unless it is a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False)


def any_encoding() -> None:
    """Have a terminal or a pipe of any encoding take every text: what it has no sign for becomes a question mark, since a
    file's name must not end a command whose work is done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="replace")


def show_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(dumps(value))


def dumps(value: Any) -> str:
    """A JSON document as people like to read it."""
    return json.dumps(value, indent=2) + "\n"


def say(message: str) -> None:
    """A line for people, on stderr, markup and all."""
    err.print(message, soft_wrap=True)


def plain(text: str) -> str:
    """Foreign text, such as a file's name, with nothing in it that could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def complain(message: str) -> None:
    """One line that says what is wrong."""
    err.print(Text.assemble(("error: ", "bold red"), plain(" ".join(message.split()))), soft_wrap=True)


def warn(what: str, reason: str = "") -> None:
    """One line that says what is to be known, or was left out and why."""
    err.print(Text.assemble((what, "yellow"), " " if reason else "", plain(reason)), soft_wrap=True)


def heading(text: str) -> None:
    """A line above a table."""
    out.print(Text(text, style="bold"), soft_wrap=True)


class _Table(Table):
    """A table whose cells are what they say: no markup, and nothing that steers a terminal."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(Text(plain(cell)) if isinstance(cell, str) else cell for cell in cells), **options)


def table(*columns: str, header: bool = True) -> Table:
    """A table in the project's one style; a column whose name ends in a space is aligned right."""
    made = _Table(box=None, pad_edge=False, header_style="bold", show_header=header)
    for name in columns:
        made.add_column(name.strip(), justify="right" if name.endswith(" ") else "left", overflow="fold")
    return made


def widest(table: Table, column: int) -> None:
    """Have this column alone give way where a table is wider than the terminal."""
    for i, each in enumerate(table.columns):
        each.no_wrap, each.overflow = i != column, "ellipsis"


@contextmanager
def progress(label: str) -> Generator[Any]:
    """A bar on stderr, or nothing where stderr is no terminal: yields on_progress(what, done, total)."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", style="dim", markup=False),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with bar:
        task = bar.add_task(label, total=None, what="")

        def on_progress(what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None, what=plain(what))

        yield on_progress
