"""Serving the page: its socket, the uploads, and Gradio's application behind the guard.

Uploads are taken here and not by Gradio, which bounds neither a request nor what it remembers of one, and leaves what was
broken off on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Sequence

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ..errors import ZooError
from .guard import EVERY, PROGRESS, UPLOAD, Guard
from .uploads import Uploads

MOST_BYTES = 20 * 2**20  # of an upload
PORTS = range(7860, 7960)  # tried in turn where none is asked for
PATIENCE = 2  # seconds that open connections get at the end


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
    config = uvicorn.Config(guarded, log_level="warning", timeout_graceful_shutdown=PATIENCE)
    with contextlib.suppress(KeyboardInterrupt), _listen(host, port) as listening:
        name = "localhost" if host in EVERY else f"[{host}]" if ":" in host else host
        started(f"http://{name}:{listening.getsockname()[1]}/")
        uvicorn.Server(config).run([listening])


def _application(blocks: gr.Blocks, folder: Uploads) -> FastAPI:
    async def upload(request: Request) -> Response:
        async with request.form(max_files=1, max_fields=0) as form:
            file = form.get("files")
            if file is None or isinstance(file, str):
                return PlainTextResponse("An upload is a form with one file, called files.", 400)
            if file.size is None or file.size > MOST_BYTES:
                return PlainTextResponse(f"A file has at most {MOST_BYTES >> 20} MiB.", 413)
            path = await run_in_threadpool(folder.add, file.filename or "", file.file)
        return JSONResponse([str(path)])

    async def progress(request: Request) -> Response:
        return Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")  # how far one is, nobody keeps

    outer = FastAPI(openapi_url=None)
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
