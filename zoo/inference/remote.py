"""Pictures by address, https://host/a.jpg: fetched into a folder of that moment, within bounds, then read as any file."""

from __future__ import annotations

import http.client
import re
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from ..errors import ZooError
from ..image import suffixes
from .capture import name

MOST = 2**28  # bytes
PATIENCE, LONGEST = 10.0, 60.0  # seconds: for the next bytes, for all of them
REDIRECTS = 5
PART = 2**16


def is_picture(source: str) -> bool:
    """Whether a source is the address of a picture: of http or https, with the suffix of one. Other addresses are streams."""
    if not re.match("https?://[^/]", source, re.IGNORECASE):
        return False
    return PurePosixPath(urlsplit(source).path).suffix.lower() in suffixes()


@contextmanager
def fetched(sources: list[str]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """(the sources with a file in place of each address of a picture, {file: the address}); the files are gone afterwards.
    Raises ZooError for what does not come, or not within the bounds."""
    with tempfile.TemporaryDirectory(prefix="zoo-") as scratch:
        addresses: dict[str, str] = {}
        local = []
        for number, source in enumerate(sources):
            if is_picture(source):
                path = Path(scratch, str(number), _file_name(source))  # outputs are named after it
                path.parent.mkdir()
                _fetch(source, path)
                addresses[str(path)] = name(source)
                source = str(path)
            local.append(source)
        yield local, addresses


def _file_name(address: str) -> str:
    """The last part of an address, as a file may be called."""
    last = re.sub(r"[^\w.-]", "_", unquote(PurePosixPath(urlsplit(address).path).name))
    return last if len(last) <= 100 else last[-100:].lstrip(".")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """A bounded number, never from https to http."""

    max_redirections = REDIRECTS
    max_repeats = 1

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urlsplit(newurl).scheme not in allowed:
            fp.close()
            raise ZooError(f"{name(req.full_url)}: leads to {name(newurl)}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(address: str, to: Path) -> None:
    opener = urllib.request.OpenerDirector()  # of these alone: the usual one would open files too
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        _Redirects,
    ):
        opener.add_handler(handler())
    end = time.monotonic() + LONGEST
    size = 0
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "fastdepth-zoo", "Accept": "image/*"})
        with opener.open(request, timeout=PATIENCE) as answer, to.open("wb") as file:
            while part := answer.read1(PART):
                size += len(part)
                if size > MOST:
                    raise ZooError(f"{name(address)}: more than {MOST >> 20} MiB, which is the limit")
                if time.monotonic() > end:
                    raise ZooError(f"{name(address)}: not there after {LONGEST:.0f} s")
                file.write(part)
            if answer.length:
                raise ZooError(f"{name(address)}: ended {answer.length} bytes too early")
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: no address after all
        reason = str(getattr(error, "reason", "")) or str(error) or type(error).__name__
        code = ""
        if isinstance(error, urllib.error.HTTPError):
            code = f"{error.code} "
            error.close()
        raise ZooError(f"{name(address)}: cannot be fetched ({code}{' '.join(reason.split())})") from error
