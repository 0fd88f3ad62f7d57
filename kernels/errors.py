"""The one exception of this package that a user is meant to read."""


class KernelError(Exception):
    """Something the user can mend. The message is one line that names the thing, what is wrong with it, and what to do."""


class UnreachableError(KernelError):
    """A board cannot be reached, or no longer; the others may go on."""
