"""Options that several commands share."""

from typing import Annotated

import typer

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write over files that this command did not write before.")
]
