"""Serving the page: its socket, the uploads, and Gradio's application behind the guard.

Uploads are taken here and not by Gradio, which bounds neither a request nor what it remembers of one, and leaves what was
broken off on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ..errors import ZooError
from .guard import EVERY, PROGRESS, UPLOAD, Guard
from .uploads import Uploads

MOST_BYTES = 20 * 2**20  # of an upload
PORTS = range(7860, 7960)  # tried in turn where none is asked for
CONNECTIONS = 1000  # at once; more are refused
UPLOADING = 16  # at once; more wait
LONGEST = 600  # seconds for an upload
TIDIED = 60  # seconds between two looks for what is no longer kept
PATIENCE = 1  # seconds that open connections get at the end


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger(
            "uvicorn.error"
        ).disabled = True  # an open page is always connected: no error that it is cut off
        await super().shutdown(sockets)


@contextlib.contextmanager
def removed(folder: Uploads) -> Iterator[None]:
    """The folder is this user's alone, and goes at the end: an error, Ctrl-C, SIGTERM, or the terminal that closes."""
    os.umask(0o077)  # for what Gradio writes
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    hangs_up = getattr(signal, "SIGHUP", signal.SIGTERM)  # Windows has none
    if signal.getsignal(hangs_up) == signal.SIG_DFL:  # nohup has it ignored
        signal.signal(hangs_up, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, hangs_up):
            signal.signal(number, signal.SIG_IGN)
        folder.cleanup()


def serve(
    blocks: gr.Blocks,
    folder: Uploads,
    host: str | None,
    port: int | None,
    names: Sequence[str],
    started: Callable[[str], object],
) -> None:
    """Serve until the process is told to stop; `started` is called with the page's address. Raises ZooError where it cannot
    listen."""
    host = (host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1").strip("[]")
    space = filter(None, os.environ.get("SPACE_HOST", "").split(","))  # the names of a Hugging Face Space
    guarded = Guard(_application(blocks, folder), host, [*names, *space], folder.has, MOST_BYTES)
    config = uvicorn.Config(
        guarded, log_level="error", limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=PATIENCE
    )
    with contextlib.suppress(KeyboardInterrupt), _listen(host, port) as listening:
        name = "localhost" if host in EVERY else f"[{host}]" if ":" in host else host
        started(f"http://{name}:{listening.getsockname()[1]}/")
        _Server(config).run([listening])


def _application(blocks: gr.Blocks, folder: Uploads) -> FastAPI:
    uploading = asyncio.Semaphore(UPLOADING)

    async def upload(request: Request) -> Response:
        try:
            async with uploading, asyncio.timeout(LONGEST), request.form(max_files=1, max_fields=0) as form:
                file = form.get("files")
                if file is None or isinstance(file, str):
                    return PlainTextResponse("An upload is a form with one file, called files.", 400)
                if file.size is None or file.size > MOST_BYTES:
                    return PlainTextResponse(f"A file has at most {MOST_BYTES >> 20} MiB.", 413)
                return JSONResponse([str(await run_in_threadpool(folder.add, file.filename or "", file.file))])
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("The upload was broken off.", 408)

    async def progress(request: Request) -> Response:
        return Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")  # how far one is, nobody keeps

    @contextlib.asynccontextmanager
    async def tidied(application: FastAPI) -> AsyncIterator[None]:
        async def repeatedly() -> None:
            while True:
                await asyncio.sleep(TIDIED)
                await run_in_threadpool(folder.tidy)
                for paths in blocks.temp_file_sets:  # Gradio's, which only grow
                    paths.clear()

        task = asyncio.create_task(repeatedly())
        yield
        task.cancel()

    outer = FastAPI(openapi_url=None, lifespan=tidied)
    outer.add_route(UPLOAD, upload, methods=["POST"])
    outer.add_route(PROGRESS, progress)
    gr.mount_gradio_app(
        outer,
        blocks,
        "/",
        footer_links=["api"],
        run_history=False,
        show_error=False,  # what is meant to be read is shown all the same
        max_file_size=MOST_BYTES,
        ssr_mode=False,
        mcp_server=False,
    )
    blocks.has_launched = True  # else Gradio leaves out its own check of paths
    return outer


def _listen(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for at in [port] if port else PORTS:
        try:
            return socket.create_server((host, at), family=family, backlog=socket.SOMAXCONN)
        except OSError as error:
            reason = error
            if error.errno != errno.EADDRINUSE:
                break
    raise ZooError(f"{host}, port {at}: {reason.strerror or reason}")
