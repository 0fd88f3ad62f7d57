"""Where weights come from: an explicit path, the cache of the pinned revision, the bundled copy, the Hub. Verified always.

A Hub repository holds what a checkpoint folder holds. Its account is ZOO_NAMESPACE, or given as `namespace`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ZooError
from ..files import put
from ..variant import Variant, Weights
from .checkpoint import CONFIG, WEIGHTS, config, digest, verify

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

BUNDLED = Path(__file__).parent.parent / "checkpoints"
CARD = "README.md"
FILES = (WEIGHTS, CONFIG, CARD)
EXAMPLE = "example.jpg"  # what the card shows, where there is one


class AbsentError(ZooError):
    """The repository has no such file."""


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
    if record.revision and repository and (cached := _cached(repository, record, cache_dir)):
        return _pinned(cached, record)
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
) -> Path:
    """Fetch a variant's weights from the Hub where an account is named, else from the bundled copy; where they are now.

    `to` gets the whole checkpoint folder: weights, config, card and its picture, all of one commit; each file whole or not
    at all.
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
    for file in (*FILES, EXAMPLE):
        if file != EXAMPLE or (source / file).is_file():
            put(to / file, (source / file).read_bytes())
    return to / WEIGHTS


def push(folder: Path, repository: str, *, private: bool = False) -> str:
    """Upload a checkpoint folder, its files and nothing else, to a Hub repository made if need be; the commit."""
    from huggingface_hub import HfApi

    config(folder)
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise ZooError(f"{folder}: lacks {', '.join(missing)}; a Hub repository holds {', '.join(FILES)}")
    with _plainly(repository):
        api = HfApi(library_name="fastdepth-zoo")
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=[*FILES, EXAMPLE],
            commit_message=f"Weights with sha256 {digest(folder / WEIGHTS)[:12]}",
        )
    return str(done.oid)


def download(
    repository: str | None, file: str, revision: str, cache_dir: str | Path | None, local: bool, progress: bool
) -> Path:
    """A file of a Hub repository at a revision, from the cache where it is there. Raises ZooError in one line."""
    if repository is None:
        raise ZooError(f"{file} has to come from the Hub: name the account that serves it, by ZOO_NAMESPACE")
    from huggingface_hub import hf_hub_download

    with _plainly(f"{repository} @ {revision[:12]}"), _progress_bars(progress):
        path = Path(hf_hub_download(repository, file, revision=revision, cache_dir=cache_dir, local_files_only=local))
    if not _intact(path):
        _forget(path)
        raise ZooError(
            f"{repository} @ {revision[:12]}: {file} was damaged on its way; removed from the cache, try again"
        )
    return path


def repository_folder(model: str | Path, revision: str, cache_dir: str | Path | None, local: bool) -> Path:
    """A checkpoint folder as it is, or what a Hub repository, `account/name`, holds at a revision. Raises ZooError."""
    folder = Path(model)
    if not folder.is_dir():
        if str(model).count("/") != 1:
            raise ZooError(f"{model}: neither a checkpoint folder nor a Hub repository (account/name)")
        for file in (CONFIG, WEIGHTS):
            folder = download(str(model), file, revision, cache_dir, local, True).parent
    return folder


@contextmanager
def _progress_bars(shown: bool) -> Iterator[None]:
    """The client's progress bars are the whole process's: hidden if not to be shown, and afterwards as they were."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if shown or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _intact(path: Path) -> bool:
    """The client keeps a file under the Hub's name for its content, sha256 or git's sha1, but does not compare them."""
    content, name = path.read_bytes(), path.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return hashlib.sha256(content).hexdigest() == name
    if re.fullmatch(r"[0-9a-f]{40}", name):
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == name
    return True  # no links on this system, or a mirror with names of its own


def _pinned(path: Path, record: Weights) -> Path:
    """A file of the cache, if it is the pinned one. What is not is removed, as the client would never fetch it again."""
    try:
        verify(path, record.sha256, record.size, "removed from the cache, pull again")
    except ZooError:
        _forget(path)
        raise
    return path


def _forget(path: Path) -> None:
    with suppress(OSError):
        path.resolve().unlink()
        path.unlink(missing_ok=True)


def _repository(record: Weights, namespace: str | None) -> str | None:
    account = namespace or os.environ.get("ZOO_NAMESPACE")
    return f"{account}/{record.repo}" if account else None


def _cached(repository: str, record: Weights, cache_dir: str | Path | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, record.file, cache_dir=cache_dir, revision=record.revision)
    return Path(found) if isinstance(found, str) else None


@contextmanager
def _plainly(what: str) -> Iterator[None]:
    """The Hub client's errors as one line that says what to do."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # whichever the client speaks

    try:
        yield
    except LocalEntryNotFoundError as error:  # the client says this whenever it could not ask, and of some refusals
        reason = error.__cause__
        if isinstance(reason, HfHubHTTPError):
            raise ZooError(f"{what}: {_refusal(reason)}") from error
        raise ZooError(f"{what}: not in the cache, and the Hub is out of reach or switched off") from error
    except GatedRepoError as error:
        raise ZooError(f"{what}: access must be asked for on its page; then set HF_TOKEN") from error
    except RevisionNotFoundError as error:
        raise ZooError(f"{what}: the repository has no such revision") from error
    except EntryNotFoundError as error:
        raise AbsentError(f"{what}: the repository has no such file") from error
    except RepositoryNotFoundError as error:
        raise ZooError(f"{what}: no such repository, or private: set HF_TOKEN to one that may read it") from error
    except HfHubHTTPError as error:
        raise ZooError(f"{what}: {_refusal(error)}") from error
    except (HFValidationError, httpx.HTTPError, OSError, ValueError) as error:
        raise ZooError(f"{what}: {str(error).strip().splitlines()[0] if str(error).strip() else error!r}") from error


def _refusal(error: HfHubHTTPError) -> str:
    code = error.response.status_code
    advice = {401: "set HF_TOKEN", 403: "HF_TOKEN may not do this", 429: "too many requests, try later"}
    return f"the Hub answered {code}; {advice.get(code, 'try again later')}"
