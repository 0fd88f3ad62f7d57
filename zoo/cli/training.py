"""The commands around weights: train and eval. They import what they need when they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console
from ..errors import ZooError
from .options import Overwrite

if TYPE_CHECKING:
    from ..data.store import Store
    from ..outputs import Ours

COMMAND = "eval"
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]
Data = Annotated[
    Path, typer.Option(help="Folder with rgb/ and depth/ (16-bit PNG), folder of .h5 files, or .mat file.")
]
Scale = Annotated[float, typer.Option(min=1e-6, help="Units of depth/ to the metre.")]


def train(
    frames: Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Checkpoint folder to write; a stopped run goes on from it.")
    ],
    model: Annotated[str, typer.Option("-m", "--model", help="The variant to train.")] = "fastdepth_pruned",
    scale: Scale = 1000,
    hold_out: Annotated[
        int, typer.Option(min=1, help="Frames, the last by name, to validate on and not train on.")
    ] = 80,
    photos: Annotated[
        Path | None, typer.Option(help="Folder of photos without depth, at any depth of folders.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Checkpoint folder of the network that labels the photos.")
    ] = None,
    rooms: Annotated[int, typer.Option(min=0, help="Rendered rooms with exact depth to mix in.")] = 0,
    start: Annotated[str | None, typer.Option("--from", help="Variant or checkpoint folder to begin with.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Recipe; default zoo/recipes/scratch.toml, after --from MODEL.toml.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for the data made ready; default OUT/data.")] = None,
    on: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads to use.")] = 2,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a variant on frames with depth, on photos that another network labels, on rendered rooms.

    On several GPUs: torchrun --nproc-per-node 4 -m zoo train --on cuda …
    """
    import torch

    from ..training.distributed import join, leave, wait, world
    from ..training.recipe import Recipe
    from ..training.train import train as run
    from ..variant import FOLDER
    from ..weights.load import identify, load

    if on not in ("cpu", "cuda") or (on == "cuda" and not torch.cuda.is_available()):
        raise ZooError(f"--on {on}: " + ("PyTorch finds no GPU here" if on == "cuda" else "there are cpu and cuda"))
    torch.set_num_threads(threads)
    which, _ = identify(model)
    recipes = FOLDER.parent / "recipes"
    default = recipes / (f"{which.name}.toml" if start else "scratch.toml")
    if config is None and not default.exists():
        raise ZooError(f"no recipe for {which.name}: --config names one, such as {recipes / 'scratch.toml'}")
    recipe = Recipe.read(config or default)
    claim(out, cache or out / "data", [start, teacher], overwrite=overwrite)
    (rank, _), device = world(), join(torch.device(on))
    with console.progress(f"training {which.name}") as tick:
        if rank:
            wait()  # until the first process has made the data ready
        data = Sources(frames, scale, hold_out, photos, teacher, rooms, cache or out / "data", tick)
        if not rank:
            wait()
        begin = load(start) if start else None
        scores = run(which, recipe, data.stores, data.held_out, out, begin, tick, device)
    leave()
    if rank:
        return
    show(f"{out}: {which.name}", "published", len(data.held_out), scores, json, {"folder": str(out)})


def claim(
    out: Path,
    cache: Path,
    models: Sequence[str | Path | None],
    more: Sequence[tuple[Path, Ours]] = (),
    *,
    overwrite: bool,
) -> None:
    """Raise ZooError where a run into `out`, with its data in `cache`, would write over something else than a run's."""
    from .. import outputs
    from ..data import store
    from ..training.train import LOG, STATE
    from ..weights import checkpoint

    run = [(out / name, checkpoint.noted("run")) for name in (*checkpoint.FILES, STATE, LOG)]
    data = [(cache / kind / name, store.written) for kind in ("frames", "photos", "rooms") for name in store.FILES]
    sources = [Path(model) / name for model in models if model for name in checkpoint.FILES]
    outputs.claim([*run, *data, *more], sources, overwrite=overwrite)


class Sources:
    """What the options of a training command name: stores to learn from (frames, photos, rooms; None where not given),
    frames held out of them, ready to be judged."""

    def __init__(
        self,
        frames: Path,
        scale: float,
        hold_out: int,
        photos: Path | None,
        teacher: Path | None,
        rooms: int,
        cache: Path,
        tick: Callable[[str, int, int], None],
    ) -> None:
        """Read, label and render what is not in the cache yet; say which files cannot be used."""
        from ..data import store
        from ..data.frames import frames as read
        from ..evaluation.evaluate import judged
        from ..image import suffixes
        from ..weights import checkpoint
        from ..weights.load import load

        if (photos is None) != (teacher is None):
            raise ZooError("--photos and --teacher go together: the teacher labels the photos")
        found = read(frames, scale)
        if len(found) <= hold_out:
            raise ZooError(f"{frames}: {len(found)} frames; more than {hold_out} are needed, as those are held out")
        self.held_out, skipped = judged(found[-hold_out:], "published", tick)
        measured = store.measured(found[:-hold_out], cache / "frames", tick)
        self.stores: list[Store | None] = [measured, None, None]
        if photos and teacher:
            paths = sorted(path for path in photos.rglob("*") if path.suffix.lower() in suffixes())
            name = checkpoint.digest(teacher / checkpoint.WEIGHTS)
            self.stores[1] = store.taught(paths, load(str(teacher)), name, cache / "photos", tick)
        if rooms:
            self.stores[2] = store.rendered(rooms, cache / "rooms", tick)
        report([*skipped, *(reason for made in self.stores if made for reason in made.skipped)])


def evaluate(
    frames: Data,
    model: Annotated[str, typer.Option("-m", "--model", help="A variant or a checkpoint folder.")] = "fastdepth_pruned",
    recipe: Annotated[
        str, typer.Option(help="published: centre crop, nearest. whole: the whole picture, at its own size.")
    ] = "published",
    scale: Scale = 1000,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many frames by name.")] = None,
    worst: Annotated[Path | None, typer.Option(help="Picture to write: the frames it does worst on.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads to use.")] = 2,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Measure a network against measured depth."""
    import torch

    from .. import outputs
    from ..data.frames import frames as read
    from ..evaluation.evaluate import RECIPES, evaluate, judged
    from ..visual import gallery
    from ..weights.load import load

    if recipe not in RECIPES:
        raise ZooError(f"no recipe {recipe!r}; there are {' and '.join(RECIPES)}")
    if worst:
        outputs.claim([(worst, outputs.marked(COMMAND))], overwrite=overwrite)
    torch.set_num_threads(threads)
    network = load(model)
    found = read(frames, scale)
    with console.progress(f"judging {model}") as tick:
        exam, skipped = judged(found[-last:] if last else found, recipe, tick)
        report(skipped)
        scores, rows = evaluate(network, exam, tick)
    if worst:
        gallery.worst(network, exam, rows, worst, outputs.mark(COMMAND))
    extra = {"model": model, "frames": [{"name": f.name} | row for f, row in zip(exam, rows, strict=True)]}
    show(f"{model} on {frames}", recipe, len(exam), scores, json, extra)
    if worst and not json:
        console.out.print(f"the worst of them: {worst}", soft_wrap=True)


def report(skipped: list[str]) -> None:
    """Name the files that were left out: the first few, and how many in all."""
    for reason in skipped[:3]:
        console.warn("left out:", reason)
    if len(skipped) > 3:
        console.warn("left out:", f"{len(skipped)} files in all")


def show(
    title: str, recipe: str, frames: int, scores: dict[str, float], json: bool, extra: Mapping[str, object]
) -> None:
    """Metrics as a table, or as JSON with their conditions."""
    from ..evaluation.evaluate import FARTHEST_M

    mask = f"0 < depth < {FARTHEST_M} m"
    if json:
        console.show_json({"recipe": recipe, "mask": mask, "count": frames, "metrics": scores, **extra})
        return
    console.heading(f"{title}: mean over {frames} frames, {recipe} recipe, mask {mask}")
    table = console.table("metric", "value ")
    for name, value in scores.items():
        table.add_row(name, f"{value:.3f}")
    console.out.print(table)


def register(app: typer.Typer, examples: Callable[..., str]) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog=examples(
            "zoo train -m fastdepth_pruned --frames nyu_train/ -o runs/pruned",
            "zoo train -m fastdepth --frames nyu_train/ --photos photos/ --teacher teacher/ -o runs/unpruned",
        )
    )(train)
    app.command(
        "eval",
        epilog=examples(
            "zoo eval -m fastdepth_pruned --frames nyu_train/ --last 80",
            "zoo eval -m runs/pruned --frames nyu_train/ --recipe whole --worst worst.png --json",
        ),
    )(evaluate)
