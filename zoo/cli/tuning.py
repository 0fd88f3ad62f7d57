"""The commands around speed: bench and tune. They import what they need when they run."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console
from ..kernels.errors import KernelError

if TYPE_CHECKING:
    from ..kernels.device import Device

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]
Model = Annotated[str, typer.Option("-m", "--model", help="A variant (zoo list) or a checkpoint folder.")]
Target = Annotated[str | None, typer.Option(help="Instead of a device: a target of TVM's, as JSON.")]


def bench(
    artifact: Annotated[Path, typer.Option(help="A folder made by zoo compile.")] = Path("build/host"),
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads to use.")] = 1,
    layers: Annotated[bool, typer.Option("--layers", help="Show every layer.")] = False,
    json: Json = False,
) -> None:
    """Time an artifact against what this machine can do at most, measured first."""
    from ..kernels.bench.bench import bench as run
    from ..kernels.bench.peak import peak
    from ..kernels.device import device as find
    from ..kernels.device import records
    from ..kernels.dtype import DType
    from ..kernels.runtime.fastdepth import ArtifactError, read_manifest

    try:
        manifest = read_manifest(artifact)
        named = any(record.name == manifest["device"] for record in records())
        most = peak(find(manifest["device"] if named else "host"), threads)
        whole, steps = run(artifact, threads)
    except ArtifactError as error:
        raise KernelError(str(error)) from error
    rows = [timing.row(most) for timing in (*steps, whole)]
    if json:
        facts = {
            "artifact": str(artifact),
            "device": manifest["device"],
            "threads": threads,
            "dtype": manifest["dtype"],
        }
        limits = {"peak_gmacs_per_s": most.gmacs, "copy_gbytes_per_s": most.gbytes}
        console.show_json(facts | limits | {"whole": rows[-1], "steps": rows[:-1] if layers else []})
        return
    said = f"{threads} thread{'s' * (threads > 1)}, {DType.parse(manifest['dtype']).tvm}, median of 60 runs"
    console.heading(f"{artifact}: {whole.name}, {said}")
    table = console.table("layer", "workload", "ms ", "GMAC/s ", "of peak ", "of copy ")
    console.widest(table, 1)
    for row in rows if layers else rows[-1:]:
        rates = (f"{row['gmacs_per_s']:.1f}", f"{row['share_of_peak']:.0%}", f"{row['share_of_copy']:.0%}")
        table.add_row(row["name"], row["workload"], f"{row['p50_ms']:.3f}", *rates)
    console.out.print(table)
    console.out.print(
        f"10th to 90th percentile: {whole.p10_ms:.2f} to {whole.p90_ms:.2f} ms; {1e3 / whole.p50_ms:.0f} fps"
    )
    console.out.print(f"measured limits: {most.gmacs:.1f} GMAC/s in registers, {most.gbytes:.0f} GB/s copied")


def tune(
    model: Model = "fastdepth_pruned",
    device: Annotated[
        str | None, typer.Option(help="A device (zoo devices): this machine, or the runner's. Default: host.")
    ] = None,
    target: Target = None,
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
    from ..kernels.ir.trace import trace
    from ..kernels.records import append, best, path_of, present, read
    from ..kernels.tuning.boards import Boards, reach
    from ..kernels.tuning.search import tune as run
    from ..weights.load import identify, load

    made_for = chosen(device, target)
    reached = reach(made_for, runner or [], tracker, key)
    variant, folder = identify(model)
    plan = rewrite(trace(load(model, pretrained=folder is not None), *variant.input), made_for.simd_lanes)
    path = log or path_of(made_for)
    records, remarks = read(path)
    for remark in remarks:
        console.warn("skipped", remark)
    ours = present(records, made_for)
    with ExitStack() as open_, console.progress(f"tuning for {made_for.name}") as tick:
        boards = Boards(
            [open_.enter_context(board) for board in reached],
            lambda gone: console.warn("gone", gone),
        )
        keep = partial(append, path)
        run(plan.workloads, made_for, trials, ours, boards.measure, keep, tick, seed=seed, spread=boards.spread)
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
    from ..kernels.targets.cpu.from_json import device_of

    if device and target:
        raise KernelError("--device and --target say the same thing: give one")
    return device_of(target) if target else find(device or "host")
