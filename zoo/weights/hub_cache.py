"""One file of a Hub repository, in the Hub client's cache. Nothing that a server answers is a path before it is a digest.

The client would name the files it writes after the answer's ETag and commit, whatever they hold. Here it only asks and
receives: the answer is checked, the content comes into memory, and is written once it is what the ETag says.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ZooError
from ..files import LARGEST, read_bounded, write_atomic

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # git's sha1 or sha256 of a commit or file, or a file's own sha256
_PART = r"(?!\.)[\w.+@=-]+"
NAMES = {"repository": f"{_PART}/{_PART}", "file": _PART, "revision": f"{_PART}(?:/{_PART})*"}
OUT_OF_REACH = "not in the cache, and the Hub is out of reach or switched off"


class AbsentError(ZooError):
    """The repository has no such file."""


def download(
    repository: str | None, file: str, revision: str, cache_dir: str | Path | None, local: bool, progress: bool
) -> Path:
    """A file of a Hub repository at a revision, from the cache where it is there. Raises ZooError in one line."""
    if repository is None:
        raise ZooError(f"{file} has to come from the Hub: name the account that serves it, by ZOO_NAMESPACE")
    what = f"{repository} @ {revision[:12]}"
    path = cached(repository, file, revision, cache_dir)
    if path is None or not (local or DIGEST.fullmatch(revision)):
        if local:
            raise ZooError(f"{what}: {OUT_OF_REACH}")
        with plainly(what):
            path = _ask(repository, file, revision, path, _root(cache_dir), progress)
    if not _intact(path):
        advice = fate(path)
        forget(path)
        raise ZooError(f"{what}: {file} was damaged on its way; {advice}")
    return path


def cached(repository: str, file: str, revision: str, cache_dir: str | Path | None) -> Path | None:
    """The file in the cache, unread, or None. Raises ZooError where a name could not be one of the Hub's."""
    for kind, name in {"repository": repository, "file": file, "revision": revision}.items():
        if not re.fullmatch(NAMES[kind], name):
            raise ZooError(f"{name!r} is no name of a {kind} on the Hub")
    from huggingface_hub import try_to_load_from_cache

    with plainly(f"{repository} @ {revision[:12]}"):
        found = try_to_load_from_cache(repository, file, cache_dir=_root(cache_dir), revision=revision)
    return Path(found) if isinstance(found, str) else None


def fate(path: Path) -> str:
    """What `forget` does with a file of the cache, as advice."""
    if _leads_out(path):
        return f"left alone, as it lies outside the cache, at {path.resolve()}: mend that, or remove the link"
    return "removed from the cache, try again"


def forget(path: Path) -> None:
    """Remove a wrong file from the cache, so that it is fetched again; one that the cache only links to stays.

    Of what lies in the cache its own repository's part is removed, as a link may lead to a sound file of another.
    """
    if _leads_out(path):
        return
    own = _cache(path) / path.parents[2].name
    link = path.parent / path.readlink() if path.is_symlink() else path
    for found in (path, link, path.resolve()):  # the link first: one that leads nowhere would stay for ever
        entry = found.parent.resolve() / found.name
        if entry.is_relative_to(own):
            with suppress(OSError):
                entry.unlink()


def _leads_out(path: Path) -> bool:
    return not path.resolve().is_relative_to(_cache(path))


def _cache(path: Path) -> Path:
    return path.parents[3].resolve()  # CACHE/REPOSITORY/snapshots/COMMIT/FILE


def _root(cache_dir: str | Path | None) -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(cache_dir or HF_HUB_CACHE).expanduser().absolute()


def _intact(path: Path) -> bool:
    """A snapshot's file is a link to one that is named after its content, and may be a link in turn to a shared store."""
    names = [path.readlink().name] if path.is_symlink() else []
    told = next((name for name in (*names, path.resolve().name) if DIGEST.fullmatch(name)), None)
    return told is None or _is(
        read_bounded(path), told
    )  # None: no links on this system, or a store with names of its own


def _is(content: bytes, told: str) -> bool:
    if len(told) == 64:
        return hashlib.sha256(content).hexdigest() == told
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == told


def _ask(repository: str, file: str, revision: str, known: Path | None, root: Path, progress: bool) -> Path:
    """What the Hub has at a revision, fetched if need be; what the cache knew of it where the Hub cannot be asked."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError
    from huggingface_hub.file_download import are_symlinks_supported, repo_folder_name
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # whichever the client speaks

    try:
        told = get_hf_file_metadata(hf_hub_url(repository, file, revision=revision), retry_on_errors=known is None)
    except (EntryNotFoundError, RevisionNotFoundError):
        raise
    except (HfHubHTTPError, OfflineModeIsEnabled, httpx.ConnectError, httpx.TimeoutException) as error:
        if known:
            return known
        if isinstance(error, HfHubHTTPError):
            raise
        raise ZooError(f"{repository} @ {revision[:12]}: {OUT_OF_REACH}") from error
    if known and told.commit_hash is None:  # whoever answers is no Hub
        return known
    commit, etag = hexadecimal("commit", told.commit_hash), hexadecimal("ETag", told.etag)
    if DIGEST.fullmatch(revision) and commit != revision:
        raise ZooError(f"{repository} @ {revision[:12]}: the server answers for another commit, {commit[:12]}")

    folder = root / repo_folder_name(repo_id=repository, repo_type="model")
    path, blob = folder / "snapshots" / commit / file, folder / "blobs" / etag
    if not path.is_file():
        if not (blob.is_file() and _is(read_bounded(blob), etag)):
            content = _content(hf_hub_url(repository, file, revision=commit), file, told.size, progress)
            if not _is(content, etag):
                raise ZooError(
                    f"{repository} @ {revision[:12]}: {file} was damaged on its way; removed from the cache, try again"
                )
            write_atomic(blob, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        if are_symlinks_supported(root):
            if path.is_symlink() and not path.exists() and not _leads_out(path):
                path.unlink()  # what it led to has been removed
            with suppress(FileExistsError):  # somebody else has just fetched it
                path.symlink_to(Path("..", "..", "blobs", etag))
        else:
            blob.replace(path)
    if revision != commit:
        with suppress(ZooError):  # a cache that cannot be written still serves
            write_atomic(folder / "refs" / revision, commit.encode())
    return path


def hexadecimal(what: str, told: str | None) -> str:
    """What a server answers where the Hub gives a digest, if it is one. Raises ZooError."""
    if told is None or not DIGEST.fullmatch(told):
        raise ZooError(f"the server's {what} is {told and told[:80]!r}, and not 40 or 64 hexadecimal digits")
    return told


class _Bounded(io.BytesIO):
    """As much as a file of this family may hold, however much a server sends."""

    def write(self, content: Any) -> int:
        if self.tell() + len(content) > LARGEST:
            raise ZooError(f"the server sends more than {LARGEST >> 20} MiB, which nothing of FastDepth is")
        return super().write(content)


def _content(url: str, file: str, size: int | None, progress: bool) -> bytes:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]
    from huggingface_hub.utils.tqdm import tqdm

    class Silent(tqdm):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options | {"disable": True})  # type: ignore[no-untyped-call]

    content = _Bounded()
    bar = None if progress else Silent
    http_get(url, content, headers=build_hf_headers(), expected_size=size, displayed_filename=file, tqdm_class=bar)
    return content.getvalue()


@contextmanager
def plainly(what: str) -> Iterator[None]:
    """The Hub client's errors as one line that says what to do."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # whichever the client speaks

    try:
        yield
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
