"""Networks and transforms in other processes: pickle, torch.save, workers that are spawned.

A pickle names classes by their modules. torch.hub loads this package under a private name (hubconf.py), which a new process
cannot import; so a pickle made there begins by loading the package again, by torch.hub, from the folder it lies in.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = __package__
PRIVATE = PACKAGE.startswith("_")
FOLDER = Path(__file__).resolve().parent.parent  # of hubconf.py


class Maker:
    """Makes an object, without its state, of a class in this package. Its own pickle loads the package."""

    def __call__(self, module: str, name: str, *arguments: Any) -> Any:
        """An object of the class of that name in this package's `module`, as `copyreg.__newobj__` would make it."""
        made = getattr(import_module(module, PACKAGE), name)
        return made.__new__(made, *arguments)

    def __reduce__(self) -> Any:
        import torch

        load = partial(torch.hub.load, str(FOLDER), "_maker", source="local", verbose=False)
        return load, ()


MAKER = Maker()


class Portable:
    """A class whose objects can be sent to other processes however the package was loaded."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        reduced: Any = super().__reduce_ex__(max(2, protocol))
        if not PRIVATE:
            return reduced
        _, (made, *rest), *state = reduced  # copyreg.__newobj__, its arguments, and what is set afterwards
        return MAKER, (made.__module__.removeprefix(PACKAGE), made.__qualname__, *rest), *state
