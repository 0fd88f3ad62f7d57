"""`python -m zoo` is the command `zoo`."""

from .cli.app import main

main()
