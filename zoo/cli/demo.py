"""zoo demo."""

from __future__ import annotations

import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from .. import console
from ..errors import ZooError
from .options import Camera, Json, Threads, examples


def demo(
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="Variants or checkpoint folders to offer; default: all bundled."),
    ] = None,
    artifact: Annotated[list[Path] | None, typer.Option(help="Folders made by zoo compile, to offer as well.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to serve on; default 127.0.0.1, this machine alone.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: the first free one from 7860 on.")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Names it has besides, such as a proxy's: other names are refused.")
    ] = None,
    camera: Camera = None,
    threads: Threads = 2,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    json: Json = False,
) -> None:
    """Try it on a page: your photos or the camera, metres where you point, the scene in 3D. Ctrl-C stops it."""
    if missing := [name for name in ("gradio", "trimesh") if find_spec(name) is None]:
        raise ZooError(f"the page needs {' and '.join(missing)}: pip install 'fastdepth-zoo[demo]'")
    from ..camera.lens import Lens
    from ..demo.page import Service, launch
    from ..variant import catalogue

    lens = Lens.parse(camera) if camera else Lens()
    models = model or [v.name for v in reversed(catalogue()) if v.weights]

    def started(address: str) -> None:
        if json:
            facts = {"address": address, "models": models, "artifacts": [str(path) for path in artifact or []]}
            console.show_json(facts)
        else:
            console.out.print(f"{address} (Ctrl-C stops it)", soft_wrap=True)
        if open_:
            webbrowser.open(address)

    launch(Service(models, artifact or [], threads, lens), host, port, name or [], started)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo demo --open",
            "zoo demo --artifact build/host",
            "zoo demo --host 0.0.0.0 --port 8080",
            "zoo demo --camera my-camera.toml",
        )
    )(demo)
