"""zoo tune."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console
from .options import Json, Model, TvmTarget, examples

if TYPE_CHECKING:
    from ..kernels.device import Device


def tune(
    model: Model = "fastdepth_pruned",
    device: Annotated[
        str | None, typer.Option(help="A device (zoo devices): this machine, or the runner's. Default: host.")
    ] = None,
    target: TvmTarget = None,
    trials: Annotated[int, typer.Option(min=1, help="Settings per layer, those already in the log counted.")] = 32,
    runner: Annotated[
        list[str] | None,
        typer.Option(
            help="How to reach a board: ssh:user@board, rpc, or a command that runs a program. May be repeated."
        ),
    ] = None,
    tracker: Annotated[str | None, typer.Option(help="With --runner rpc: TVM's tracker, HOST:PORT.")] = None,
    key: Annotated[str | None, typer.Option(help="With --runner rpc: the boards' key there.")] = None,
    log: Annotated[Path | None, typer.Option(help="Log to read and add to; default: the one zoo compile uses.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random choices.")] = 0,
    json: Json = False,
) -> None:
    """Search for faster knobs, layer by layer, guided by a model of everything measured so far (XGBoost)."""
    from ..kernels.ir.rewrite import rewrite
    from ..kernels.records import append, begun, best, path_of, present
    from ..kernels.targets import target_of
    from ..kernels.tuning.boards import Boards, reach
    from ..kernels.tuning.search import tune as run
    from ..weights.load import identify, load
    from .compile import plan_of

    made_for = chosen(device, target)
    reached = reach(made_for, runner or [], tracker, key)
    variant, folder = identify(model)
    traced = plan_of(load(model, pretrained=folder is not None or variant.dtype != "f32"), *variant.input)
    made_for = target_of(made_for).for_dtype(traced.dtype)
    plan = rewrite(traced, made_for.simd_lanes)
    path = log or path_of(made_for)
    records, remarks = begun(path)
    for remark in remarks:
        console.warn("skipped", remark)
    ours = present(records, made_for)
    with ExitStack() as open_, console.progress(f"tuning for {made_for.name}") as on_progress:
        boards = Boards(
            [open_.enter_context(board) for board in reached],
            lambda gone: console.warn("gone", gone),
        )
        keep = partial(append, path)
        run(plan.workloads, made_for, trials, ours, boards.measure, keep, on_progress, seed=seed, spread=boards.spread)
    found = best(ours, made_for)
    total = sum(found[step.workload].time for step in plan.steps if step.workload in found)
    row = {
        "log": str(path),
        "device": made_for.name,
        "layers": len(plan.steps),
        "records": len(ours),
        "sum_ms": total * 1e3,
    }
    if json:
        console.show_json(row)
        return
    best_sum = f"the layers' best sum to {total * 1e3:.2f} ms, each timed by itself"
    said = best_sum if found else "none that says how fast the device is"
    console.out.print(f"{path}: {len(ours)} records; {said}", soft_wrap=True)


def chosen(device: str | None, target: str | None) -> Device:
    """What --device names or --target describes; this machine where neither is given. Raises KernelError."""
    from ..kernels.device import device as find
    from ..kernels.errors import KernelError
    from ..kernels.targets.cpu.from_json import device_of

    if device and target:
        raise KernelError("--device and --target say the same thing: give one")
    return device_of(target) if target else find(device or "host")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo tune --trials 32",
            "zoo tune -m fastdepth --device x86-64-v3 --trials 64",
            "zoo tune --device rpi4 --runner ssh:pi@raspberrypi --trials 24",
            "zoo tune --device rpi4 --runner ssh:pi@one --runner ssh:pi@two",
            "zoo tune --device rpi4 --runner rpc --tracker 192.168.1.9:9190 --key rpi4",
        )
    )(tune)
