"""Where training data comes from, by name. A recipe's `sampling_weights` and the stores of a run use these names.

Another source: a function here or in a file beside this one that makes a store, an entry in SOURCES, and a field of
`Request` with its option in zoo/cli/train.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ZooError
from ..image import suffixes
from . import store
from .frames import Frame, frames
from .store import OnProgress, Store
from .teacher import teacher


@dataclass(frozen=True)
class Request:
    """What a user wants to train on. The last `hold_out` frames by name are for validation; the first `reserve`
    are not looked at, so that no run is chosen by them."""

    dataset: Path
    cache: Path
    scale: float | None = None  # units to the metre, if not those of the layout
    hold_out: int = 80
    reserve: int = 0
    photos: Path | None = None
    teachers: Sequence[str] = ()  # variants or checkpoint folders
    mirror: bool = False  # whether they are asked about mirrored views too
    rooms: int = 0

    def split(self) -> tuple[list[Frame], list[Frame]]:
        """(frames to train on, frames held out). Raises ZooError if that leaves none to train on."""
        found = frames(self.dataset, self.scale)
        if len(found) <= (kept := self.reserve + self.hold_out):
            raise ZooError(f"{self.dataset}: {len(found)} frames; more than {kept} are needed, as those are held out")
        return found[self.reserve : -self.hold_out], found[-self.hold_out :]


def _frames(request: Request, on_progress: OnProgress) -> Store:
    return store.measured(request.split()[0], request.cache / "frames", on_progress)


def _photos(request: Request, on_progress: OnProgress) -> Store | None:
    if request.photos is None:
        return None
    if not request.photos.is_dir():
        raise ZooError(f"{request.photos}: no such folder; photos are looked for in a folder and all below it")
    paths = sorted(path for path in request.photos.rglob("*") if path.suffix.lower() in suffixes())
    network, key = teacher(request.teachers, mirror=request.mirror)
    return store.pseudo_labelled(paths, network, key, request.cache / "photos", on_progress)


def _rooms(request: Request, on_progress: OnProgress) -> Store | None:
    return store.rendered(request.rooms, request.cache / "rooms", on_progress) if request.rooms else None


# A batch holds the samples of its sources in this order.
SOURCES: Mapping[str, Callable[[Request, OnProgress], Store | None]] = {
    "frames": _frames,  # pictures with measured depth
    "photos": _photos,  # pictures with a teacher's predictions
    "rooms": _rooms,  # rendered pictures with exact depth
}


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from: a store for each source that was asked for, and the frames held out of them."""

    stores: dict[str, Store]
    held_out: list[Frame]
    skipped: list[str] = field(default_factory=list)  # files that cannot be used, and why


def prepare(request: Request, on_progress: OnProgress) -> TrainingData:
    """Read, label and render what is not in the cache yet. Raises ZooError where nothing can be made of a source."""
    if (request.photos is None) != (not request.teachers):
        raise ZooError("--photos and --teacher go together: the teacher labels the photos")
    if request.mirror and not request.teachers:
        raise ZooError("--mirror goes with --teacher: mirrored views are shown to the teacher")
    _, held_out = request.split()
    made = {name: make(request, on_progress) for name, make in SOURCES.items()}
    stores = {name: found for name, found in made.items() if found}
    return TrainingData(stores, held_out, [reason for found in stores.values() for reason in found.skipped])
