"""What only some installations have."""

from importlib.util import find_spec

from .errors import KernelError


def require(*modules: str) -> None:
    """Raise KernelError, with what to type, unless all these modules can be imported."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise KernelError(f"this needs {', '.join(missing)}: pip install 'fastdepth-zoo[compile]'")
