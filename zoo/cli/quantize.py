"""zoo quantize."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import console
from ..errors import ZooError
from .options import Dataset, Json, Model, Overwrite, Scale, Threads, examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..evaluation.evaluate import EvaluationFrame
    from ..model.network import FastDepth

COMMAND, PICTURE, CARD = "quantize", "difference.png", "README.md"
METRICS = {"delta1": "delta1", "rmse_m": "RMSE m", "abs_rel": "abs-rel", "delta1_scaled": "delta1, median-scaled"}


def quantize(
    dataset: Dataset,
    out: Annotated[Path, typer.Option("-o", "--out", help="Checkpoint folder to write.")],
    model: Model = "fastdepth_pruned",
    scale: Scale = None,
    images: Annotated[int, typer.Option(min=1, help="Frames to calibrate on, evenly apart.")] = 100,
    hold_out: Annotated[
        int, typer.Option(min=1, help="Frames, the last by name, to compare on and not to calibrate on.")
    ] = 80,
    threads: Threads = 2,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Turn a network into integers: int8 weights, uint8 results, a quarter of the size. Say what that costs.

    The folder is a checkpoint like any other, for -m of every command; zoo compile makes int8 kernels of it.
    """
    import torch

    from .. import outputs
    from ..data.frames import frames as read
    from ..evaluation.evaluate import evaluate, evaluation_frames
    from ..evaluation.protocols import PROTOCOLS
    from ..files import write_atomic
    from ..quantization.calibrate import quantize as run
    from ..weights import checkpoint
    from ..weights.hub import resolve
    from ..weights.load import identify, load
    from .evaluate import report

    how = PROTOCOLS["published"]
    variant, folder = identify(model)
    ours = checkpoint.noted("quantized")
    sources = [folder / name for name in checkpoint.FILES] if folder else []
    outputs.claim([(out / name, ours) for name in (*checkpoint.FILES, CARD, PICTURE)], sources, overwrite=overwrite)
    found = read(dataset, scale)
    if len(found) <= hold_out:
        raise ZooError(
            f"{dataset}: {len(found)} frames, of which {hold_out} are held out; none are left to calibrate on"
        )
    torch.set_num_threads(threads)
    network = load(model)
    chosen = found[: len(found) - hold_out]
    chosen = list(islice(chosen[:: max(1, len(chosen) // images)], images))
    with console.progress(f"quantising {variant.name}") as on_progress:
        seen, skipped = evaluation_frames(chosen, how, on_progress)
        integers = run(
            network,
            (torch.from_numpy(frame.view)[None] for frame in seen),
            lambda count: on_progress("calibrating", count, len(seen)),
        )
        held_out, more = evaluation_frames(found[-hold_out:], how, on_progress)
        report([*skipped, *more])
        scores = {
            "f32": evaluate(network, held_out, on_progress)[0],
            "int8": evaluate(integers, held_out, on_progress)[0],
        }
        apart = _apart(network, integers, held_out)
    sha256 = checkpoint.digest(resolve(variant, weights=folder))
    mean, most = sum(a for a, _ in apart) / len(apart), max(b for _, b in apart)
    facts: dict[str, Any] = {
        "of": variant.name,
        "sha256": sha256,
        "images": len(seen),
        "mean_m": mean,
        "largest_m": most,
    }
    facts["f32"] = scores["f32"]
    conditions = {"frames": len(held_out), "protocol": how.name, "mask": how.mask}
    notes = {"quantized": facts, "held_out": conditions | scores["int8"]}
    checkpoint.save(integers, out, notes)
    worst = max(range(len(apart)), key=lambda i: apart[i][1])
    _draw(
        network,
        integers,
        held_out[worst],
        f"{Path(held_out[worst].name).name}: at most {most:.2f} m apart",
        out / PICTURE,
    )
    write_atomic(out / CARD, _card(integers.variant.name, notes).encode())
    if json:
        console.show_json({"folder": str(out), "model": integers.variant.name, **notes})
        return
    console.heading(f"{out}: {integers.variant.name}, calibrated on {len(seen)} frames")
    table = console.table(f"{len(held_out)} held-out frames", "f32", "int8")
    for key, name in METRICS.items():
        table.add_row(name, *(f"{scores[dtype][key]:.4f}" for dtype in ("f32", "int8")))
    console.out.print(table)
    console.out.print(
        f"depths differ by {mean * 100:.1f} cm on average, {most * 100:.0f} cm at most: {out / PICTURE}", soft_wrap=True
    )
    console.out.print(f"try: zoo compile -m {out} --device host", soft_wrap=True)


def _apart(network: FastDepth, integers: FastDepth, frames: Sequence[EvaluationFrame]) -> list[tuple[float, float]]:
    """(mean, largest) difference of two networks' depths in metres, a frame each."""
    import numpy as np

    from ..evaluation.evaluate import predict

    apart = [np.abs(predict(network, frame) - predict(integers, frame)) for frame in frames]
    return [(float(each.mean()), float(each.max())) for each in apart]


def _draw(network: FastDepth, integers: FastDepth, frame: EvaluationFrame, title: str, path: Path) -> None:
    """The frame on which they differ most."""
    import numpy as np

    from .. import outputs
    from ..evaluation.evaluate import predict
    from ..visual import gallery

    reals = predict(network, frame)
    shown = replace(frame, depth=reals, mask=np.ones_like(reals, bool))
    columns = ("picture", "float32", "int8", "int8 - float32")
    gallery.draw(integers, [shown], [title], path, outputs.mark(COMMAND), columns, least=0.05)


def _card(name: str, notes: dict[str, dict[str, Any]]) -> str:
    facts, held = notes["quantized"], notes["held_out"]
    rows = "".join(f"| {title} | {facts['f32'][key]:.4f} | {held[key]:.4f} |\n" for key, title in METRICS.items())
    return f"""# {name}

{facts["of"]} (sha256 {facts["sha256"][:12]}…) in integers: int8 weights by channel, uint8 results by tensor, int32 sums.
Scales are from the largest numbers on {facts["images"]} frames.

| {held["frames"]} held-out frames, {held["protocol"]} protocol | float32 | int8 |
|---|---|---|
{rows}
Depths differ by {facts["mean_m"] * 100:.1f} cm on average and {facts["largest_m"] * 100:.0f} cm at most:

![The frame on which they differ most]({PICTURE})

Made by `zoo quantize`. Licence and training data are those of {facts["of"]}.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo quantize -m fastdepth_pruned --dataset nyu_train/ -o build/int8",
            "zoo quantize -m runs/pruned --dataset nyu_train/ -o build/mine --images 200 --json",
        )
    )(quantize)
