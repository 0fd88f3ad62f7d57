"""zoo predict: depth of pictures, of a film, or of very many pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import console
from ..errors import ZooError
from . import bulk
from .options import Camera, Json, Model, Overwrite, examples


def predict(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE",
            help="Pictures, also by http(s) address, folders, globs, .txt lists of pictures; a film, stream or camera.",
        ),
    ],
    model: Model = "fastdepth_pruned",
    artifact: Annotated[
        Path | None, typer.Option(help="A folder made by zoo compile, instead of a torch model.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Picture, film, .npy or folder to write.")] = None,
    raw: Annotated[str | None, typer.Option(help="Also write bare depth: npy (metres) or png16 (millimetres).")] = None,
    camera: Camera = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads to use; of each worker with Ray.")] = 1,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Stop a video after this many frames.")] = None,
    frames: Annotated[
        str | None, typer.Option(help="all: of an animated picture or a TIFF of several pages, as a film.")
    ] = None,
    near: Annotated[
        float | None, typer.Option(help="Near end of the legend, metres; with --far. Default: follows the depths.")
    ] = None,
    far: Annotated[float | None, typer.Option(help="Far end of the legend, metres; with --near.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="For very many pictures, process or ray: bare depth and an index; finished ones are kept."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="With Ray; default: all of the cluster.")] = None,
    shard: Annotated[str | None, typer.Option(help="I/N: only every N-th picture, from the I-th on (from 0).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many pictures.")] = None,
    bits: Annotated[
        int | None, typer.Option(min=1, max=32, help="Bits in use where a sample has more than 8; default: recognised.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Folders with the folders in them.")] = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Estimate depth: a colour picture with a legend in metres beside the input, and the bare numbers on request."""
    from ..camera.lens import Lens
    from ..inference import remote
    from ..inference.sources import DEPTHS

    if frames not in (None, "all"):
        renamed = " (a number of frames is --max-frames)" if frames and frames.isdecimal() else ""
        raise ZooError(f"--frames {frames}: give all, or leave it out{renamed}")
    lens = Lens.parse(camera) if camera else Lens()
    if engine is not None:
        if raw or max_frames or frames:
            raise ZooError("--engine writes bare depth of pictures; --raw, --max-frames and --frames do not go with it")
        if any(remote.is_picture(source) for source in sources):
            raise ZooError("--engine reads files alone; download what has an address first")
        if near is not None or far is not None:
            raise ZooError("--engine writes bare depth without colours; --near and --far do not go with it")
        out = out or DEPTHS
        bulk.many(
            sources,
            model,
            artifact,
            out,
            threads,
            engine,
            workers,
            shard,
            limit,
            recursive,
            bits,
            lens,
            overwrite,
            json,
        )
        return
    if workers:
        raise ZooError("--workers goes with --engine ray")
    from ..inference import backends as runtimes
    from ..inference.job import Job
    from ..inference.sources import left_out

    with remote.fetched(sources) as (local, addresses):
        request = Job(
            local,
            out,
            raw,
            max_frames,
            shard,
            limit,
            recursive,
            bits,
            near=near,
            far=far,
            lens=lens,
            animated=frames == "all",
            overwrite=overwrite,
        )
        left = [] if request.film else left_out(local, recursive, out)
        runtime = runtimes.find(model, artifact, threads)
        with console.progress("depth") as on_progress:
            rows = request.run(runtime.predict, on_progress)
    for row in rows:
        for path, address in addresses.items():
            row |= {key: row[key].replace(path, address) for key in ("source", "status")}
    for row in rows:
        row |= {"model": runtime.model, "runtime": runtime.name, "threads": threads}
    if json:
        console.show_json(rows + bulk.left(left))
    else:
        table = console.table("picture", "nearest … median … farthest ", "time ", "written")
        for row in rows:
            if row["status"] == "ok":
                written = ", ".join(str(row[key]) for key in ("picture", "raw", "stack") if row.get(key))
                table.add_row(row["source"], _depth(row), _time(row), written)
        if table.row_count:
            console.heading(f"{runtime.model}, {runtime.name}")
            console.out.print(table)
            _lenses([row["camera"] for row in rows if row.get("camera")])
            bulk.say_of(runtime, lens)
    bulk.remark([f"{row['source']}: {remark}" for row in rows for remark in row.get("remarks", ())])
    bulk.name(left)
    bulk.complain([row for row in rows if row["status"] != "ok"])


def _depth(row: dict[str, Any]) -> str:
    if "frames" in row:
        return f"{row['frames']} frames"
    return " … ".join(f"{row[key]:.2f}" for key in ("min_m", "median_m", "max_m")) + " m"


def _lenses(cameras: list[dict[str, Any]]) -> None:
    """Say through which lens depth was taken to be seen: each kind once, with how many pictures."""
    kinds = Counter((camera["origin"], f"{camera['degrees']:.0f}", "scale" in camera) for camera in cameras)
    for (origin, degrees, calibrated), count in kinds.most_common(bulk.SHOWN):
        known = calibrated or not origin.startswith("unknown")
        words = f"{origin}, {degrees} degrees across" if known else f"{origin}, taken as {degrees} degrees across"
        words += f" ({count} pictures)" if len(kinds) > 1 else ""
        console.warn("lens:", words if known else f"{words}; --camera 69deg or 26mm corrects the metres")


def _time(row: dict[str, Any]) -> str:
    """Of the network; of a film, a frame's, and with decoding, drawing and encoding."""
    time = f"{row['milliseconds']:.0f} ms"
    return f"{time}; {row['frame_milliseconds']:.0f} ms a frame in all" if "frames" in row else time


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo predict photo.jpg -o depth.png",
            "zoo predict https://host/photo.jpg -o depth.npy",
            "zoo predict photos/ -o depths/ --raw png16",
            "zoo predict photo.jpg --camera 69deg",
            "zoo predict film.mp4 --camera camera_info.yaml",
            "zoo predict animated.gif --frames all -o depth.webm",
            "zoo predict --artifact build/host photo.jpg --raw npy",
            "zoo predict film.mp4 -o depth.mp4",
            "zoo predict film.mp4 -o depth.mp4 --raw npy",
            "zoo predict 0 -o camera.mp4 --max-frames 300",
            "zoo predict rtsp://host/camera -o camera.mp4",
            "zoo predict 'photos/**/*.jpg' -o depths/ --engine ray --artifact build/host",
            "zoo predict list.txt -o depths/ --engine process --shard 0/4",
        )
    )(predict)
