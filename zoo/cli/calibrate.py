"""zoo calibrate: a camera of one's own, from distances that one has measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import console
from ..errors import ZooError
from .options import Camera, Json, Model, Overwrite, Scale, examples, point

if TYPE_CHECKING:
    from ..camera.calibrate import Group
    from ..camera.intrinsics import Camera as Known
    from ..camera.lens import Lens
    from ..image import Pixels
    from ..inference.predictor import Predictor

COMMAND = "calibrate"
Point = tuple[int, int]
SAMPLES = 500  # pixels of a frame


def calibrate(
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO", help="One photo for all points, or one for each.")
    ] = None,
    at: Annotated[list[str] | None, typer.Option(help="X,Y: a point in pixels, from the upper left.")] = None,
    metres: Annotated[
        list[float] | None, typer.Option(help="Its distance from the camera, straight, as a tape has it; in order.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option("--dataset", help="Instead: frames with measured depth, as zoo eval takes them.")
    ] = None,
    scale: Scale = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The camera's file to write.")] = Path("my-camera.toml"),
    camera: Camera = None,
    model: Model = "fastdepth_pruned",
    artifact: Annotated[
        Path | None, typer.Option(help="A folder made by zoo compile, instead of a torch model.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Correct metres by distances known, for --camera of the other commands: a scale, and a shift where many support it."""
    from .. import outputs
    from ..camera import calibrate as calibration
    from ..camera import files
    from ..camera.lens import Lens
    from ..files import write_atomic
    from ..inference import backends as runtimes

    points = [point(word) for word in at or []]
    given = photos or []
    if out.suffix.lower() != ".toml":
        raise ZooError(f"{out}: a camera is written as .toml")
    if bool(dataset) == bool(given or points or metres):
        raise ZooError("give photos with --at X,Y and --metres M, or a --dataset")
    if not dataset and (not given or len(points) != len(metres or []) or len(given) not in (1, len(points))):
        raise ZooError(
            f"{len(given)} photos, {len(points)} --at and {len(metres or [])} --metres: give as many --at as --metres, and "
            "one photo for all or one for each"
        )
    outputs.claim([(out, outputs.marked(COMMAND))], given, overwrite=overwrite)
    lens = Lens.parse(camera) if camera else Lens()
    paths = given * (len(points) // len(given)) if given else []
    pictures = _pictures(paths, points)
    calibration.check(metres or [])
    runtime = runtimes.find(model, artifact, 1)
    if dataset:
        known, groups = _frames(dataset, scale, lens, runtime.predict)
    else:
        known, groups = _tapes(pictures, list(zip(paths, points, metres or [], strict=True)), lens, runtime.predict)
    fitted = calibration.fit(groups, model=runtime.model, weights=runtime.weights)
    made = replace(known, calibration=fitted)
    write_atomic(out, files.dumps(made, outputs.mark(COMMAND)).encode())
    errors = [_error(groups, lambda p: p), _error(groups, fitted.apply)]
    if json:
        facts = {"camera": known.facts(), "calibration": asdict(fitted), "file": str(out)}
        console.show_json(facts | {"abs_rel_before": errors[0], "abs_rel_after": errors[1]})
        return
    table = console.table("", "value ", "one standard deviation ", header=True)
    table.add_row("scale", f"{fitted.scale:.3f}", _spread(fitted.scale_error, ""))
    table.add_row("shift", f"{fitted.shift:+.3f} m", _spread(fitted.shift_error, " m") if fitted.shift else "not taken")
    console.heading(f"{runtime.model} on {len(groups)} {'frames' if dataset else 'distances'}")
    console.out.print(table)
    console.out.print(f"off by {errors[0]:.1%} before and {errors[1]:.1%} after, on the same distances")
    console.out.print(console.plain(str(out)), soft_wrap=True)
    if len(groups) < 3:
        console.warn("note:", "three distances or more, in several photos, tell how sure the scale is")


def _spread(error: float | None, unit: str) -> str:
    return "unknown: one distance" if error is None else f"{error:.3f}{unit}"


def _pictures(paths: list[Path], points: list[Point]) -> dict[Path, Pixels]:
    """The pictures, each read once. Raises ZooError where a point is not in its picture."""
    from .. import image
    from ..camera import space

    pictures = {path: image.read(path) for path in dict.fromkeys(paths)}
    for path, (x, y) in zip(paths, points, strict=True):
        space.check(x, y, pictures[path].shape[1], pictures[path].shape[0], path)
    return pictures


def _tapes(
    pictures: dict[Path, Pixels], sights: list[tuple[Path, Point, float]], lens: Lens, predict: Predictor
) -> tuple[Known, list[Group]]:
    """(the camera, a group for each point: the depth predicted there and the one measured)."""
    import numpy as np

    from .. import image
    from ..camera import space
    from ..camera.rays import camera_rays

    cameras, depths, groups = {}, {}, []
    for path, pixels in pictures.items():
        cameras[path] = lens.camera(pixels.shape[1], pixels.shape[0], image.exif(path))
        depths[path] = predict.depth(pixels, replace(cameras[path], calibration=None))
    known = _one(cameras)
    for path, (x, y), metre in sights:
        slant = float(np.linalg.norm(camera_rays(cameras[path])[y, x]))
        groups.append(
            (np.array([space.depth_at(depths[path], x, y)]), np.array([metre / slant]))
        )  # both along the axis
    return known, groups


def _frames(dataset: Path, scale: float | None, lens: Lens, predict: Predictor) -> tuple[Known, list[Group]]:
    """(the camera, a group for each frame: pixels of predicted depth and of measured)."""
    import numpy as np

    from ..camera.calibrate import FARTHEST, NEAREST
    from ..data.frames import frames

    rng = np.random.default_rng(0)
    found, cameras, groups = frames(dataset, scale), {}, []
    with console.progress("frames") as on_progress:
        for i, frame in enumerate(found):
            on_progress(frame.name, i, len(found))
            pixels, depth = frame.load()
            cameras[Path(frame.name)] = camera = lens.camera(pixels.shape[1], pixels.shape[0])
            predicted = predict.depth(pixels, replace(camera, calibration=None))
            valid = np.flatnonzero((depth > NEAREST) & (depth < FARTHEST) & (predicted > 0))
            chosen = rng.choice(valid, min(SAMPLES, len(valid)), replace=False)
            groups.append((predicted.ravel()[chosen], depth.ravel()[chosen]))
    return _one(cameras), groups


def _one(cameras: dict[Path, Known]) -> Known:
    """The camera that all photos are of. Raises ZooError where they are of several."""
    (first, known), *rest = cameras.items()
    for path, camera in rest:
        if abs(camera.factor() / known.factor() - 1) > 0.01 or camera.unknown != known.unknown:
            raise ZooError(
                f"{path}: seen through another lens than {first}; calibrate each by itself, or give --camera"
            )
    return replace(known, calibration=None)


def _error(groups: list[Group], correct: Callable[[Any], Any]) -> float:
    import numpy as np

    return float(np.mean([np.mean(np.abs(correct(p) - m) / m) for p, m in groups if p.size]))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo calibrate photo.jpg --at 320,240 --metres 2.35 -o my-camera.toml",
            "zoo calibrate a.jpg b.jpg --at 320,240 --metres 2.35 --at 100,300 --metres 1.1 --camera 69deg",
            "zoo calibrate --dataset kinect/ --camera camera_info.yaml -o kinect.toml",
            "zoo predict photo.jpg --camera my-camera.toml",
        )
    )(calibrate)
