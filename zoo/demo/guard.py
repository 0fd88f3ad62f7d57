"""Who may ask the page, and for what: the outermost layer, before anything of Gradio's.

A web page in the same browser can have its own name resolved to this machine ("DNS rebinding"), and then everything here would
count as its own. What it cannot forge is the `Host` that the browser sends, which is that name. An address made of numbers
resolves to nothing else, so it needs no list where the server listens on every address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/gradio_api"
UPLOAD = f"{API}/upload"
PROGRESS = f"{API}/upload_progress"
FILE = f"{API}/file="
# what the page and Gradio's clients ask for. Not here: what fetches from elsewhere, writes files or starts things
PATHS = {
    *("/", "/config", "/config/", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"),
    *(UPLOAD, PROGRESS),
    *(f"{API}/{name}" for name in ("info", "info/", "openapi.json", "app_id", "login_check", "user", "theme.css")),
    *(f"{API}/{name}" for name in ("queue/join", "queue/data", "queue/status", "cancel", "reset")),
}
UNDER = ("/assets/", "/static/", f"{API}/call/", f"{API}/run/", f"{API}/heartbeat/")
EVERY = ("0.0.0.0", "::")  # to listen on these is to listen on every address
SELF = ("localhost", "127.0.0.1", "::1")
LARGEST = 2**16  # bytes of a request that is not an upload


class Guard:
    """ASGI middleware that answers, in a line that repeats nothing of the request, whatever should not reach the page."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        public: Collection[str],
        is_ours: Callable[[str], bool],
        largest_upload: int,
    ) -> None:
        """`host` is what the server listens on, `public` the names it has besides, `is_ours` says whether the file at a
        path may be sent, `largest_upload` is in bytes."""
        self.app = app
        bound = host.lower()
        self.public = {name.lower() for name in public}
        self.any_address = bound in EVERY
        self.names = {*self.public, bound, *(SELF if bound in (*EVERY, *SELF) else ())}
        if self.any_address and (machine := socket.gethostname().lower()):
            self.names |= {machine, f"{machine}.local"}
        self.is_ours = is_ours
        self.largest_upload = largest_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif refusal := self._refusal(scope):
            await refusal(scope, receive, send)
        else:
            await self.app(scope, _at_most(self._largest(scope), receive), send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers, path = Headers(scope=scope), scope["path"]
        hosts = headers.getlist("host")
        forwarded = [part.strip() for line in headers.getlist("x-forwarded-host") for part in line.split(",")]
        if len(hosts) != 1 or not all(map(self._knows, hosts + forwarded)) or "x-gradio-server" in headers:
            return PlainTextResponse("This page has no such name. zoo demo --name gives it one.", 400)
        if any(not self._same(origin, hosts + forwarded) for origin in headers.getlist("origin")):
            return PlainTextResponse("Another page may not ask this one.", 403)
        if path.startswith(FILE):
            if not self.is_ours(path.removeprefix(FILE)):
                return PlainTextResponse("There is no such file here.", 403)
        elif path not in PATHS and not path.startswith(UNDER):
            return PlainTextResponse("There is nothing here.", 404)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._largest(scope):
            return PlainTextResponse(f"A request here has at most {self._largest(scope)} bytes.", 413)
        return None

    def _largest(self, scope: Scope) -> int:
        return self.largest_upload + LARGEST if scope["path"] == UPLOAD else LARGEST

    def _knows(self, host: str) -> bool:
        name = _name(host)
        return name is not None and (name in self.names or (self.any_address and _is_address(name)))

    def _same(self, origin: str, hosts: Collection[str]) -> bool:
        """Whether the page that asks is this one; a proxy need not pass on under which name it was asked."""
        scheme, _, host = origin.partition("://")
        return scheme in ("http", "https") and (
            host.lower() in [other.lower() for other in hosts] or _name(host) in self.public
        )


def _name(host: str) -> str | None:
    """Without the port; None for what is no host."""
    parts = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?", host.lower())
    return parts and (parts[1] or parts[2])


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _at_most(largest: int, receive: Receive) -> Receive:
    """What is received, counted: a request need not say beforehand how long it is."""
    left = largest

    async def counted() -> Message:
        nonlocal left
        message: dict[str, Any] = dict(await receive())
        left -= len(message.get("body", b""))
        if left < 0:
            # closed, as the rest would be read and thrown away otherwise, without an end
            raise HTTPException(413, f"A request here has at most {largest} bytes.", {"Connection": "close"})
        return message

    return counted
