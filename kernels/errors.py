"""What a user is meant to read. The root is here, as this package imports nothing of the other; it is `zoo.ZooError` there."""


class ZooError(Exception):
    """Something the user can mend. The message is one line that names the thing, what is wrong with it, and what to do."""


class KernelError(ZooError):
    """The same, said by kernels. The message is one line that names the thing, what is wrong with it, and what to do."""


class UnreachableError(KernelError):
    """A board cannot be reached, or no longer; the others may go on."""
