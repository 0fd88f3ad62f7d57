"""zoo compile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import console
from ..errors import ZooError
from .options import InputSides, Json, Layers, Model, Overwrite, TvmTarget, examples, sides
from .tune import chosen

WHERE = {
    "here": "",
    "emulated": ", under emulation",
    "thread by thread": ", its threads run one by one on this processor",
}


def compile_(
    device: Annotated[str | None, typer.Option(help="A device (zoo devices), host, or a .toml file.")] = None,
    target: TvmTarget = None,
    model: Model = "fastdepth_pruned",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder to write; default build/MODEL-DEVICE.")
    ] = None,
    input_: InputSides = None,
    store: Annotated[
        str, typer.Option(help="How parameters are stored: f32 or, for browsers, f16, half the download.")
    ] = "f32",
    layers: Layers = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Compile a network into a folder that runs anywhere on that device: a C library, its parameters, a Python twin; for
    browsers an ES module and a page."""
    import json as encoder

    from .. import outputs
    from ..inference.predictor import Runner
    from ..kernels.artifact.build import FILES, build, written
    from ..kernels.artifact.store import check
    from ..kernels.artifact.verify import reference, verify, verify_elsewhere
    from ..kernels.ir.trace import trace
    from ..kernels.runtime.fastdepth import MANIFEST
    from ..kernels.targets import target_of
    from ..weights.checkpoint import digest
    from ..weights.hub import resolve
    from ..weights.load import identify, load

    if not (device or target):
        raise ZooError("give --device NAME (zoo devices) or --target JSON")
    made_for = chosen(device, target)
    check(store, made_for)
    variant, folder = identify(model)
    height, width = sides(input_) if input_ else variant.input
    out = out or Path("build") / f"{variant.name}-{device if device == 'host' else made_for.name}"
    outputs.claim([(out / name, written) for name in FILES], overwrite=overwrite)
    network = load(model)
    record = variant.weights
    facts = {
        "name": variant.name,
        "weights_sha256": record.sha256 if record else digest(resolve(variant, weights=folder)),
        "status": record.status if record else "released",
    }
    plan = trace(network, height, width)
    with console.progress("compiling") as on_progress:
        sources = build(plan, made_for, out, facts, on_progress, store)
        eager = Runner(network, threads=1) if store == "f32" else reference(plan, made_for, store)
        error, checked = None, None
        report = verify(out, plan, eager) if made_for.runs_here else None
        if report:
            error, checked = report.error, "here"
        elif found := verify_elsewhere(out, plan, made_for, eager, on_progress):
            error, checked = found
    size = sum(path.stat().st_size for path in out.iterdir())
    steps = encoder.loads((out / MANIFEST).read_text())["steps"]
    row = {
        "artifact": str(out),
        "model": variant.name,
        "device": made_for.name,
        "input": [3, height, width],
        "layers": len(plan.steps),
        "knobs": sources,
        "store": store,
        "size_bytes": size,
        "max_abs_error_m": error,
        "checked": checked,
    } | ({"steps": steps} if layers else {})
    if json:
        console.show_json(row)
        return
    console.heading(f"{out}: {variant.name} for {made_for.name}")
    table = console.table("", "", header=False)
    tuned, imported, plain = (sources.get(name, 0) for name in ("measured", "imported", "default"))
    kinds = (
        f"{tuned} tuned, " + (f"{imported} with imported knobs, " if imported else "") + f"{plain} with default knobs"
    )
    table.add_row("layers", f"{len(plan.steps)}: {kinds}")
    table.add_row("size", f"{size / 1e6:.1f} MB")
    if error is not None:
        rounded = "" if store == "f32" else f", weights rounded to {store}"
        table.add_row(
            f"largest difference to eager{rounded}", f"{error:.1e} m{WHERE.get(str(checked), f', {checked}')}"
        )
    if report:
        table.add_row(
            "eager, compiled, 1 thread", f"{report.eager_ms:.1f} ms, {report.compiled_ms:.1f} ms (median of 15)"
        )
    elif error is None:
        table.add_row("checked", f"no: this machine cannot run it, and has no {target_of(made_for).emulator}")
    try_it = (
        f"zoo predict --artifact {out} photo.jpg"
        if report
        else f"copy the folder; there: {target_of(made_for).command}"
    )
    table.add_row("try", try_it)
    console.out.print(table)
    if layers:
        _show_layers(steps)


def _show_layers(steps: list[dict[str, Any]]) -> None:
    """Every layer's kernel: its knobs or, on a GPU, how it is launched and what ptxas gave it."""
    gpu = "threads" in steps[0]
    heads = ("blocks", "threads", "regs ", "shared B ", "spilled B ") if gpu else ("knobs",)
    table = console.table("workload", "from", *heads)
    console.widest(table, 0)
    for step in steps:
        if gpu:
            sizes = ("x".join(map(str, step[name])) for name in ("blocks", "threads"))
            used = (str(step.get(name, "?")) for name in ("registers", "shared_bytes", "spilled_bytes"))
            cells = (*sizes, *used)
        else:
            cells = (" ".join(f"{name}={value}" for name, value in step["knobs"].items()),)
        table.add_row(step["workload"], step["provenance"], *cells)
    console.out.print(table)
    if gpu and "registers" not in steps[0]:
        console.say("registers: no ptxas that knows this GPU (PyPI: nvidia-cuda-nvcc-cu12==12.9.86)")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "compile",
        epilog=examples(
            "zoo compile --device host -o build/host",
            "zoo predict --artifact build/host photo.jpg",
            "zoo compile -m fastdepth --device x86-64-v3 --input 192x256",
            "zoo compile --device tx2 --layers",
            "zoo compile --device wasm --store f16 -o build/web",
            """zoo compile --target '{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a55"}'""",
        ),
    )(compile_)
