"""zoo train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console
from ..errors import ZooError
from .evaluate import report, show
from .options import Cache, Dataset, Json, Mirror, Overwrite, Photos, Scale, Teacher, Threads, examples

if TYPE_CHECKING:
    from ..outputs import Ours


def train(
    dataset: Dataset,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Checkpoint folder to write; a stopped run goes on from it.")
    ],
    model: Annotated[str, typer.Option("-m", "--model", help="The variant to train.")] = "fastdepth_pruned",
    scale: Scale = None,
    hold_out: Annotated[
        int, typer.Option(min=1, help="Frames, the last by name, to validate on and not train on.")
    ] = 80,
    reserve: Annotated[
        int, typer.Option(min=0, help="Frames, the first by name, to leave out altogether: no run is chosen by them.")
    ] = 0,
    photos: Photos = None,
    teacher: Teacher = None,
    mirror: Mirror = False,
    rooms: Annotated[int, typer.Option(min=0, help="Rendered rooms with exact depth to mix in.")] = 0,
    init: Annotated[str | None, typer.Option(help="Variant or checkpoint folder to begin with.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Recipe; default zoo/recipes/scratch.toml, after --init MODEL.toml.")
    ] = None,
    cache: Cache = None,
    device: Annotated[str, typer.Option(help="Where to run: cpu or cuda.")] = "cpu",
    threads: Threads = 2,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a variant on frames with depth, on photos that another network labels, on rendered rooms.

    On several GPUs: torchrun --nproc-per-node 4 -m zoo train --device cuda …
    """
    import torch

    from ..data.sources import Request, prepare
    from ..evaluation.evaluate import evaluation_frames
    from ..evaluation.protocols import PROTOCOLS
    from ..training.distributed import join, leave, rank_and_size, wait
    from ..training.recipe import Recipe
    from ..training.train import train as run
    from ..variant import FOLDER
    from ..weights.load import identify, load

    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ZooError(
            f"--device {device}: " + ("PyTorch finds no GPU here" if device == "cuda" else "there are cpu and cuda")
        )
    torch.set_num_threads(threads)
    which, _ = identify(model)
    recipes = FOLDER.parent / "recipes"
    default = recipes / (f"{which.name}.toml" if init else "scratch.toml")
    if config is None and not default.exists():
        raise ZooError(f"no recipe for {which.name}: --config names one, such as {recipes / 'scratch.toml'}")
    recipe = Recipe.read(config or default)
    claim(out, cache or out / "data", [init, *(teacher or ())], overwrite=overwrite)
    (rank, _), where = rank_and_size(), join(torch.device(device))
    with console.progress(f"training {which.name}") as on_progress:
        if rank:
            wait()  # until the first process has made the data ready
        request = Request(
            dataset,
            cache or out / "data",
            scale=scale,
            hold_out=hold_out,
            reserve=reserve,
            photos=photos,
            teachers=teacher or (),
            mirror=mirror,
            rooms=rooms,
        )
        data = prepare(request, on_progress)
        if not rank:
            wait()
        how = PROTOCOLS["published"]
        held_out, skipped = evaluation_frames(data.held_out, how, on_progress)
        if not rank:
            report([*skipped, *data.skipped])
        begin = load(init) if init else None
        scores = run(which, recipe, data.stores, held_out, out, begin, on_progress, where)
    leave()
    if rank:
        return
    show(f"{out}: {which.name}", how, len(held_out), scores, json, {"folder": str(out)})


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
    from ..data.sources import SOURCES
    from ..training.train import LOG, STATE
    from ..weights import checkpoint

    run = [(out / name, checkpoint.noted("steps")) for name in (*checkpoint.FILES, STATE, LOG)]
    data = [(cache / kind / name, store.written) for kind in SOURCES for name in store.FILES]
    sources = [Path(model) / name for model in models if model for name in checkpoint.FILES]
    outputs.claim([*run, *data, *more], sources, overwrite=overwrite)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo train -m fastdepth_pruned --dataset nyu_train/ -o runs/pruned",
            "zoo train -m fastdepth --dataset nyu_train/ --photos photos/ --teacher teacher/ -o runs/unpruned",
        )
    )(train)
