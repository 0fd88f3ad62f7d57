"""The page to try it on: a photo or the camera in; depth in colour, metres where one points, and the scene in 3D out.

Gradio draws it (extra `demo`), here with `zoo demo`, and as a Hugging Face Space from `examples/space/app.py`. It needs no
network and tells nobody anything. Its function is open to programs as `/depth`.
"""

from __future__ import annotations

import contextlib
import os
import time
from asyncio import get_running_loop
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from .. import image
from ..camera.lens import Lens
from ..data import rooms
from ..errors import ZooError
from ..inference import backends as runtimes
from ..visual import picture, scene
from . import server
from .uploads import Uploads

MOST_PIXELS = 24_000_000
WAITING = 256  # requests; more are refused
SESSIONS = 1000  # remembered, with the depth that is pointed at
ROOMS = (3, 11, 12)  # seeds of the examples
Choice = tuple[str, Path | None]  # a model, or the folder of an artifact
HINT = "Click on the depth to read its metres."


class Service:
    """What the page can do, apart from how it looks."""

    def __init__(
        self, models: Sequence[str], artifacts: Sequence[Path], threads: int, lens: Lens | None = None
    ) -> None:
        """`lens`: of photos for which the page is told of none. Raises ZooError for a model or artifact that cannot be used,
        before the page is there."""
        self.lens = lens or Lens()
        self.find: Callable[[Choice], runtimes.Runtime] = cache(
            lambda choice: runtimes.find(choice[0], choice[1], threads)
        )
        self.choices: dict[str, Choice] = {}
        offered: list[Choice] = [*(("", artifact) for artifact in artifacts), *((model, None) for model in models)]
        for choice in offered:
            runtime = self.find(choice)
            how = "torch" if choice[1] is None else f"compiled for {runtime.name}"
            self.choices[f"{runtime.model}, {how}"] = choice
        self.folder = Uploads()

    def depth(
        self, photo: str | None, network: str, lens: str | float | None
    ) -> tuple[Any, str, str, str, dict[str, Any], Any]:
        """A picture's file, a choice, the lens in words or degrees -> (depth in colour, read-out, glTF file, 16-bit PNG file in
        millimetres, numbers, the 16-bit file once more). Raises ZooError."""
        if photo is None:
            raise ZooError("choose a picture first")
        if not isinstance(network, str) or network not in self.choices:
            raise ZooError(f"no network {network!r}; there are {'; '.join(self.choices)}")
        if lens is not None and (isinstance(lens, bool) or not isinstance(lens, str | int | float)):
            raise ZooError("a lens is in words: 69deg or 26mm")
        words = f"{lens:g}deg" if isinstance(lens, int | float) else lens or ""
        through = Lens.parse(words, with_files=False) if words.strip() else self.lens
        runtime = self.find(self.choices[network])
        try:
            pixels, remarks = image.read_with_remarks(Path(photo), MOST_PIXELS)
        except ZooError as error:
            raise ZooError(str(error).replace(photo, Path(photo).name)) from error
        camera = through.camera(pixels.shape[1], pixels.shape[0], image.exif(Path(photo)))
        began = time.perf_counter()
        depth = runtime.predict.depth(pixels, camera)
        seconds = time.perf_counter() - began
        low, middle, high = (float(value) for value in np.percentile(depth, (0, 50, 100)))
        numbers = {
            "model": runtime.model,
            "runtime": runtime.name,
            "weights_sha256": runtime.weights,
            "height": depth.shape[0],
            "width": depth.shape[1],
            "min_m": low,
            "median_m": middle,
            "max_m": high,
            "milliseconds": seconds * 1e3,
            "frames_per_second": 1 / seconds,
            "camera": camera.facts(),
            "remarks": remarks,
        }
        said = (
            f"**{low:.2f}** to **{high:.2f} m**, in {seconds * 1e3:.0f} ms ({1 / seconds:.0f} fps). "
            f"Lens {'unknown, taken as' if camera.unknown else 'of'} {camera.degrees:.0f} degrees across. {HINT}"
            + "".join(f" Note: {remark}." for remark in remarks)
        )
        made = self.folder.new()
        (made / "scene.glb").write_bytes(scene.mesh(pixels, depth, camera))
        raw = picture.write_raw(depth, made / "depth.png", "png16")
        wide, high = picture.fit(
            *depth.shape
        )  # first, as colours of all pixels of a large picture take 2 GB on the way
        coloured = picture.shown(image.resize_depth(depth, high, wide))
        return coloured, said, str(made / "scene.glb"), str(raw), numbers, str(raw)

    def read_out(self, raw: str | None, x: int, y: int) -> str:
        """Metres at a pixel of the depth in colour, from the file in millimetres: what a session holds is its path alone.
        Raises ZooError if it is no longer kept."""
        if raw is None:
            return HINT
        with Image.open(self.folder.find(raw)) as file:
            if (at := picture.point(x, y, file.height, file.width)) is None:
                return HINT
            metres = np.asarray(file)[at] / 1000
        return f"**{metres:.2f} m** at row {at[0]}, column {at[1]} of {file.height} x {file.width}"

    def examples(self) -> list[str]:
        """Rendered rooms, as files."""
        paths = [self.folder.lasting / f"room-{seed}.jpg" for seed in ROOMS]
        for seed, path in zip(ROOMS, paths, strict=True):
            picture.write(rooms.render(seed, 480, 640)[0], path)
        return [str(path) for path in paths]


class Page(gr.Blocks):
    """Gradio's Blocks, which look at what a request names only after our own judgement of it."""

    def __init__(self, folder: Uploads) -> None:
        super().__init__(title="FastDepth Zoo", analytics_enabled=False)
        self.folder = folder
        self.state_session_capacity = SESSIONS

    async def process_api(self, block_fn: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        """As Gradio's, for every function of the page and every way to call it."""
        event = named.get("event_data")
        try:
            self.folder.check([inputs, event._data if event else None])
        except ZooError as error:
            raise _shown(error) from error
        return await super().process_api(block_fn, inputs, *rest, **named)

    async def preprocess_data(self, block_fn: Any, *given: Any, **named: Any) -> Any:
        """As Gradio's, which raises whatever its parsing trips over, and gives none for no example at all."""
        with contextlib.suppress(Exception):
            values = await super().preprocess_data(block_fn, *given, **named)
            if not any(v is None and isinstance(b, gr.Dataset) for v, b in zip(values, block_fn.inputs, strict=True)):
                return values
        raise _shown("this is not what the function takes; see the API's description")


def _shown(reason: object) -> gr.Error:
    return gr.Error(str(reason), title="This did not work", print_exception=False)


def page(service: Service) -> gr.Blocks:
    """The page as Gradio Blocks."""

    # One picture at a time, in one thread: each thread keeps memory after a picture's size.
    worker = ThreadPoolExecutor(1)

    async def depth(photo: dict[str, Any] | None, network: str, lens: str | float | None) -> Any:
        try:
            path = None if photo is None else str(service.folder.find(photo["path"]))
            return await get_running_loop().run_in_executor(worker, service.depth, path, network, lens)
        except ZooError as error:
            raise _shown(error) from error

    async def changed(photo: dict[str, Any] | None, network: str, lens: str | float | None) -> Any:
        return (None, HINT, None, None, None, None) if photo is None else await depth(photo, network, lens)

    def pointed(depth: str | None, event: gr.EventData) -> str:
        try:
            x, y = map(int, event.index)
        except (AttributeError, TypeError, ValueError, OverflowError):  # not from this page
            return HINT
        try:
            return service.read_out(depth, x, y)
        except ZooError as error:
            raise _shown(error) from error

    os.environ["GRADIO_TEMP_DIR"] = service.folder.name  # Gradio reads it when components are made, and at each request
    blocks: gr.Blocks
    with Page(service.folder) as blocks:
        gr.Markdown("# FastDepth Zoo\nMetric depth from one photo. Trained on rooms: indoors, 0.5 to 10 m.")
        measured = gr.State(None)
        with gr.Row():
            with gr.Column():
                photo = gr.Image(label="Photo", type="filepath", sources=["upload", "webcam", "clipboard"])
                names = list(service.choices)
                network = gr.Dropdown(names, value=names[0], label="Network")
                start = gr.Button("Estimate depth", variant="primary")
                gr.Examples(service.examples(), photo, label="Rendered rooms")
            with gr.Column():
                # no label and one button, as they lie over the legend; Gradio's button to share would tell huggingface.co
                look: dict[str, Any] = {"show_label": False, "buttons": ["download"], "format": "png"}
                coloured = gr.Image(label="Depth", interactive=False, elem_id="depth", **look)
                said = gr.Markdown(HINT, elem_id="read-out")
                cloud = gr.Model3D(label="Scene")
                words = "69deg across the longer side, 26mm (35-mm equivalent); empty: what the photo's EXIF tells"
                lens = gr.Textbox("", label="Lens", placeholder=words, max_lines=1, max_length=40)
                with gr.Accordion("Numbers", open=False):
                    raw = gr.File(label="Depth, 16-bit PNG, millimetres")
                    numbers = gr.JSON(label="What was measured")
        results = [coloured, said, cloud, raw, numbers, measured]
        given = [photo, network, lens]
        # without Gradio's preprocessing: reading the file, and saying what is wrong with it, is ours
        start.click(depth, given, results, api_name="depth", preprocess=False)
        gr.on(
            [photo.change, network.change, lens.submit],
            changed,
            given,
            results,
            preprocess=False,
            api_visibility="private",
        )
        coloured.select(pointed, [measured], said, api_visibility="private")
    blocks.queue(max_size=WAITING, default_concurrency_limit=1)
    return blocks


def launch(
    service: Service,
    host: str | None = None,
    port: int | None = None,
    names: Sequence[str] = (),
    started: Callable[[str], object] = lambda address: None,
) -> None:
    """Serve the page until the process is told to stop. `host`: default this machine alone, or what GRADIO_SERVER_NAME says;
    `port`: default the first free one from 7860; `names`: those it has besides, through a proxy; `started` is called with
    the page's address. Raises ZooError where it cannot listen. For the main thread alone, as signals are."""
    with server.removed(service.folder):
        server.serve(page(service), service.folder, host, port, names, started)
