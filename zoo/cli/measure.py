"""zoo measure: how far two points of a picture are from each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import console
from .options import Camera, Json, Model, examples, point


def measure(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A picture.")],
    first: Annotated[str, typer.Argument(metavar="X1,Y1", help="A point in pixels, from the upper left.")],
    second: Annotated[str, typer.Argument(metavar="X2,Y2", help="Another.")],
    camera: Camera = None,
    model: Model = "fastdepth_pruned",
    artifact: Annotated[
        Path | None, typer.Option(help="A folder made by zoo compile, instead of a torch model.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure the distance in space between two points of a picture, and how far each is from the camera."""
    import numpy as np

    from .. import image
    from ..camera import space
    from ..camera.lens import Lens
    from ..inference import backends as runtimes

    lens = Lens.parse(camera) if camera else Lens()
    points = [point(first), point(second)]
    pixels = image.read(photo)
    height, width = pixels.shape[:2]
    for x, y in points:
        space.check(x, y, width, height, photo)
    seen = lens.camera(width, height, image.exif(photo))
    runtime = runtimes.find(model, artifact, 1)
    depth = runtime.predict.depth(pixels, seen)
    places = [space.place(depth, seen, x, y) for x, y in points]
    apart = float(np.linalg.norm(places[0] - places[1]))
    away = [float(np.linalg.norm(place)) for place in places]
    if json:
        found = [
            {"x": x, "y": y, "place_m": place.tolist(), "from_camera_m": metres}
            for (x, y), place, metres in zip(points, places, away, strict=True)
        ]
        console.show_json({"source": str(photo), "apart_m": apart, "points": found, "camera": seen.facts()})
        return
    console.out.print(f"{apart:.2f} m apart; {away[0]:.2f} m and {away[1]:.2f} m from the camera", soft_wrap=True)
    console.warn("lens:", f"{seen.origin}, {'taken as ' if seen.unknown else ''}{seen.degrees:.0f} degrees across")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo measure room.jpg 120,300 520,310", "zoo measure room.jpg 120,300 520,310 --camera my-camera.toml"
        )
    )(measure)
