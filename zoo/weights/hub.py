"""Where weights come from: an explicit path, the cache of the pinned revision, the bundled copy, the Hub. Verified always.

A Hub repository holds what a checkpoint folder holds. Its account is ZOO_NAMESPACE, or given as `namespace`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import ZooError
from ..files import read_bounded, write_atomic
from ..outputs import claim
from ..variant import Variant, Weights
from .checkpoint import CONFIG, WEIGHTS, config, digest, verify
from .hub_cache import AbsentError, cached, download, fate, forget, hexadecimal, plainly

BUNDLED = Path(__file__).parent.parent / "checkpoints"
CARD = "README.md"
FILES = (WEIGHTS, CONFIG, CARD)
EXAMPLE = "example.jpg"  # what the card shows, where there is one


def resolve(
    variant: Variant,
    *,
    weights: str | Path | None = None,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    progress: bool = True,
    namespace: str | None = None,
) -> Path:
    """The safetensors file of a variant, whose size and sha256 are what its record pins.

    `weights`: a safetensors file or a checkpoint folder of your own, used as it is. `revision`: a commit or branch of the
    Hub repository other than the pinned one; its file has no pinned digest, so only its structure is checked.
    """
    if weights is not None:
        path = Path(weights)
        return path / WEIGHTS if path.is_dir() else path
    record = variant.weights
    if record is None:
        raise ZooError(
            f"{variant.name} has no pretrained weights; pass weights=<file or checkpoint folder>, or pretrained=False for "
            f"random ones"
        )
    repository = _repository(record, namespace)
    if revision is not None and revision != record.revision:
        return download(repository, record.file, revision, cache_dir, local_files_only, progress)
    if record.revision and repository and (found := cached(repository, record.file, record.revision, cache_dir)):
        return _pinned(found, record)
    if (path := BUNDLED / variant.name / record.file).is_file():
        verify(path, record.sha256, record.size)
        return path
    wanted = record.revision or "main"
    return _pinned(download(repository, record.file, wanted, cache_dir, local_files_only, progress), record)


def pull(
    variant: Variant,
    to: Path | None = None,
    *,
    revision: str | None = None,
    namespace: str | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Fetch a variant's weights from the Hub where an account is named, else from the bundled copy; where they are now.

    `to` gets the whole checkpoint folder: weights, config, card and its picture, all of one commit; each file whole or not
    at all. A file that is there already and is another is not written over, unless `overwrite`. Raises ZooError.
    """
    record = variant.weights
    repository = _repository(record, namespace) if record else None
    if record is None or repository is None:
        if revision is not None:
            download(repository, WEIGHTS, revision, None, False, progress)
        source = resolve(variant).parent
    else:
        weights = download(repository, record.file, revision or record.revision or "main", None, False, progress)
        if revision in (None, record.revision):
            _pinned(weights, record)
        source = weights.parent  # named after its commit
        if to:
            for file in (CONFIG, CARD):
                download(repository, file, source.name, None, False, progress)
            with suppress(AbsentError):
                download(repository, EXAMPLE, source.name, None, False, progress)
    if to is None:
        return source / WEIGHTS
    fetched = {to / f: read_bounded(source / f) for f in (*FILES, EXAMPLE) if f != EXAMPLE or (source / f).is_file()}
    claim([(path, lambda path: read_bounded(path) == fetched[path]) for path in fetched], overwrite=overwrite)
    for path, content in fetched.items():
        write_atomic(path, content)
    return to / WEIGHTS


def push(folder: Path, repository: str, *, private: bool = False) -> str:
    """Upload a checkpoint folder, its files and nothing else, to a Hub repository made if need be; the commit."""
    from huggingface_hub import HfApi

    config(folder)
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise ZooError(f"{folder}: lacks {', '.join(missing)}; a Hub repository holds {', '.join(FILES)}")
    with plainly(repository):
        api = HfApi(library_name="fastdepth-zoo")
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=[*FILES, EXAMPLE],
            commit_message=f"Weights with sha256 {digest(folder / WEIGHTS)[:12]}",
        )
    return hexadecimal("commit", done.oid)


def repository_folder(model: str | Path, revision: str, cache_dir: str | Path | None, local: bool) -> Path:
    """A checkpoint folder as it is, or what a Hub repository, `account/name`, holds at a revision. Raises ZooError."""
    folder = Path(model)
    if not folder.is_dir():
        if str(model).count("/") != 1:
            raise ZooError(f"{model}: neither a checkpoint folder nor a Hub repository (account/name)")
        for file in (CONFIG, WEIGHTS):
            folder = download(str(model), file, revision, cache_dir, local, True).parent
    return folder


def _pinned(path: Path, record: Weights) -> Path:
    """A file of the cache, if it is the pinned one. What is not is removed, as the client would never fetch it again."""
    try:
        verify(path, record.sha256, record.size, fate(path))
    except ZooError:
        forget(path)
        raise
    return path


def _repository(record: Weights, namespace: str | None) -> str | None:
    account = namespace or os.environ.get("ZOO_NAMESPACE")
    return f"{account}/{record.repo}" if account else None
