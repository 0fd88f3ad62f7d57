"""The commands that compile. They import what they need when they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import console
from ..kernels.errors import KernelError
from . import log as cli_log
from . import tuning as cli_tuning
from .tuning import Json, Model

WHERE = {
    "here": "",
    "emulated": ", under emulation",
    "thread by thread": ", its threads run one by one on this processor",
}
Sides = Annotated[str | None, typer.Option("--input", help="Sides, HEIGHTxWIDTH, multiples of 32.")]


def register(app: typer.Typer, examples: Callable[..., str]) -> None:
    """Add these commands to an app."""
    app.command(epilog=examples("zoo devices", "zoo devices --json"))(devices)
    app.command(
        "compile",
        epilog=examples(
            "zoo compile --device host -o build/host",
            "zoo predict --artifact build/host photo.jpg",
            "zoo compile -m fastdepth --device x86-64-v3 --input 192x256",
            "zoo compile --device tx2 --layers",
            """zoo compile --target '{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a55"}'""",
        ),
    )(compile_)
    app.command(epilog=examples("zoo bench", "zoo bench --artifact build/host --threads 2 --layers"))(cli_tuning.bench)
    app.command(
        epilog=examples(
            "zoo tune --trials 32",
            "zoo tune -m fastdepth --device x86-64-v3 --trials 64",
            "zoo tune --device rpi4 --runner ssh:pi@raspberrypi --trials 24",
            "zoo tune --device rpi4 --runner ssh:pi@one --runner ssh:pi@two",
            "zoo tune --device rpi4 --runner rpc --tracker 192.168.1.9:9190 --key rpi4",
        )
    )(cli_tuning.tune)
    logs = typer.Typer(name="log", help="Look into tuning records.", no_args_is_help=True)
    logs.command(epilog=examples("zoo log show x86-64-v4", "zoo log show build/new.jsonl --json"))(cli_log.show)
    logs.command(epilog=examples("zoo log best x86-64-v4"))(cli_log.best)
    logs.command(epilog=examples("zoo log check x86-64-v4"))(cli_log.check)
    logs.command(epilog=examples("zoo log merge board-a.jsonl board-b.jsonl -o both.jsonl"))(cli_log.merge)
    logs.command(
        "import",
        epilog=examples("zoo log import tx2-cpu.*.log --device tx2-cpu --host 'Jetson TX2 (dwofk/fast-depth)'"),
    )(cli_log.import_)
    app.add_typer(logs)


def devices(
    name: Annotated[str | None, typer.Argument(help="One of them, or a .toml file: show its whole record.")] = None,
    json: Json = False,
) -> None:
    """Show the machines kernels can be compiled for, or all that is known of one and where it was read."""
    from dataclasses import asdict

    from ..kernels.device import device as find
    from ..kernels.device import records

    if name:
        facts = asdict(find(name)) | {"folder": None}
        if json:
            console.show_json(facts)
            return
        console.heading(facts.pop("name"))
        table = console.table("", "", header=False)
        for key in ("summary", "machine", "target", "linker", "lanes", "registers", "requires", "gpu", "source"):
            value = ", ".join(facts[key]) if key == "requires" else facts[key]
            if value:
                table.add_row(key, str(value))
        console.out.print(table)
        return
    here = next((record for record in records() if record.runs_here), None)
    if json:
        console.show_json([asdict(r) | {"host": r == here, "runs_here": r.runs_here} for r in records()])
        return
    table = console.table("device", "here", "kernels for", "what it is")
    for record in records():
        name = f"{record.name} (host)" if record == here else record.name
        vectors = f"{record.registers} vectors of {record.lanes}"
        made_for = f"GPUs from {record.gpu.arch} on" if record.gpu else vectors
        table.add_row(name, "yes" if record.runs_here else "no", made_for, record.summary)
    console.out.print(table)


def compile_(
    device: Annotated[str | None, typer.Option(help="A device (zoo devices), host, or a .toml file.")] = None,
    target: cli_tuning.Target = None,
    model: Model = "fastdepth_pruned",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder to write; default build/MODEL-DEVICE.")
    ] = None,
    input_: Sides = None,
    layers: Annotated[bool, typer.Option("--layers", help="Show every layer.")] = False,
    json: Json = False,
) -> None:
    """Compile a network into a folder that runs anywhere on that device: a C library, its parameters, a Python twin."""
    import json as encoder

    from ..inference.predictor import Runner
    from ..kernels.artifact.build import build
    from ..kernels.artifact.verify import emulate, simulated, verify
    from ..kernels.ir.trace import trace
    from ..kernels.runtime.fastdepth import MANIFEST
    from ..weights.checkpoint import digest
    from ..weights.hub import resolve
    from ..weights.load import identify, load

    if not (device or target):
        raise KernelError("give --device NAME (zoo devices) or --target JSON")
    made_for = cli_tuning.chosen(device, target)
    variant, folder = identify(model)
    height, width = sides(input_) if input_ else variant.input
    network = load(model)
    record = variant.weights
    facts = {
        "name": variant.name,
        "weights_sha256": record.sha256 if record else digest(resolve(variant, weights=folder)),
        "status": record.status if record else "released",
    }
    out = out or Path("build") / f"{variant.name}-{device if device == 'host' else made_for.name}"
    plan = trace(network, height, width)
    with console.progress("compiling") as tick:
        sources = build(plan, made_for, out, facts, tick)
        eager, error, checked = Runner(network, threads=1), None, None
        report = verify(out, plan, eager) if made_for.runs_here else None
        if report:
            error, checked = report.error, "here"
        elif made_for.gpu:
            error, checked = simulated(plan, made_for, eager, tick), "thread by thread"
        elif (error := emulate(out, made_for.machine, eager)) is not None:
            checked = "emulated"
    size = sum(path.stat().st_size for path in out.iterdir())
    steps = encoder.loads((out / MANIFEST).read_text())["steps"]
    row = {
        "artifact": str(out),
        "model": variant.name,
        "device": made_for.name,
        "input": [3, height, width],
        "layers": len(plan.steps),
        "knobs": sources,
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
        table.add_row("largest difference to eager", f"{error:.1e} m{WHERE[str(checked)]}")
    if report:
        table.add_row(
            "eager, compiled, 1 thread", f"{report.eager_ms:.1f} ms, {report.compiled_ms:.1f} ms (median of 15)"
        )
    elif error is None:
        table.add_row("checked", f"no: this machine cannot run it, and has no qemu-{made_for.machine}-static")
    try_it = f"zoo predict --artifact {out} photo.jpg" if report else "copy the folder; there: ./fastdepth photo.ppm"
    table.add_row("try", try_it)
    console.out.print(table)
    if layers:
        _show_layers(steps, gpu=made_for.gpu is not None)


def _show_layers(steps: list[dict[str, Any]], *, gpu: bool) -> None:
    """Every layer's kernel: its knobs and, on a GPU, how it is launched and what ptxas gave it."""
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
        table.add_row(step["workload"], step["source"], *cells)
    console.out.print(table)
    if gpu and "registers" not in steps[0]:
        console.say("registers: no ptxas that knows this GPU (PyPI: nvidia-cuda-nvcc-cu12==12.9.86)")


def sides(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH as two numbers. Raises KernelError."""
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()) or any(
        int(s) % 32 or not 32 <= int(s) <= 2048 for s in (height, width)
    ):
        raise KernelError(f"--input {text}: give HEIGHTxWIDTH, both multiples of 32, at most 2048")
    return int(height), int(width)
