"""The command `zoo`. The composition root: commands import what they need when they run."""

from __future__ import annotations

import sys

import typer

from .. import console
from ..errors import ZooError
from ..kernels.errors import KernelError
from . import (
    bench,
    calibrate,
    compile,
    demo,
    devices,
    evaluate,
    export,
    import_,
    info,
    list,
    log,
    measure,
    options,
    predict,
    prune,
    pull,
    push,
    quantize,
    train,
    tune,
    verify,
)

app = typer.Typer(
    name="zoo",
    help="Metric depth from one camera: pretrained FastDepth networks, compiled for small machines.",
    epilog="Start with: zoo predict photo.jpg -o depth.png",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
GROUPS = {  # in the order of `zoo --help`
    "Use": (list, info, predict, measure, calibrate, demo, import_, export),
    "Compile": (quantize, compile, devices, bench, tune, log),
    "Train and share": (train, evaluate, prune, pull, push, verify),
}
for title, commands in GROUPS.items():
    for command in commands:
        commands_before, groups_before = len(app.registered_commands), len(app.registered_groups)
        command.register(app)
        for added in app.registered_commands[commands_before:]:
            added.rich_help_panel = title
        for group in app.registered_groups[groups_before:]:
            group.rich_help_panel = title


def main() -> None:
    """Run the command line; what a user can mend ends in one line, never in a traceback."""
    console.any_encoding()
    try:
        options.refuse_renamed(sys.argv[1:])
        options.refuse_addresses(sys.argv[1:])
        app()
    except (ZooError, KernelError) as error:
        message = str(error)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # a full disk, a folder one may not write to
        message = f"{error.filename or 'the system'}: {error.strerror or error}"
    else:
        return
    console.complain(message)
    sys.exit(2)
