"""zoo compile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import console
from ..errors import ZooError
from .options import InputSides, Json, Layers, Model, Overwrite, TvmTarget, examples, sides
from .tune import chosen

if TYPE_CHECKING:
    from ..kernels.device import Device
    from ..kernels.selection import Choice

MANY = 10**6  # settings of a layer: more than any has, so that time alone ends a search
WHERE = {
    "here": "",
    "emulated": ", under emulation",
    "thread by thread": ", its threads run one by one on this processor",
}


def compile_(
    device: Annotated[str | None, typer.Option(help="A device (zoo devices), host, or a .toml file.")] = None,
    target: TvmTarget = None,
    processor: Annotated[
        str | None,
        typer.Option(
            help="The processor to be fast on, as compilers call it (znver4), or any; default: the board's, or this machine's."
        ),
    ] = None,
    model: Model = "fastdepth_pruned",
    dtype: Annotated[
        str | None, typer.Option(help="f32 or int8; default: what the model is in. zoo quantize makes int8 of f32.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder to write; default build/MODEL-DEVICE.")
    ] = None,
    input_: InputSides = None,
    tune: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="First tune here for so long, as zoo tune would.")
    ] = None,
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
    from ..kernels.ir.rewrite import rewrite
    from ..kernels.processor import here
    from ..kernels.runtime.fastdepth import MANIFEST
    from ..kernels.targets import target_of
    from ..kernels.tuning.boards import reach
    from ..kernels.tuning.session import session
    from ..weights.checkpoint import digest
    from ..weights.hub import resolve
    from ..weights.load import identify, load
    from .plans import in_dtype, plan_of

    if not (device or target):
        raise ZooError("give --device NAME (zoo devices) or --target JSON")
    made_for = chosen(device, target)
    check(store, made_for)
    model = in_dtype(model, dtype) if dtype else model
    fast_on = fast_processor(processor, made_for)
    if tune and fast_on != here().processor:
        raise ZooError(
            f"--tune measures on this machine, a {here().processor}; tune a {fast_on} with zoo tune --runner"
        )
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
    plan = plan_of(network, height, width)
    made_for = target_of(made_for).for_dtype(plan.dtype)
    if tune:
        with console.progress(f"tuning for {tune:g} s") as on_progress:
            workloads = rewrite(plan, made_for.simd_lanes).workloads
            session(workloads, made_for, reach(made_for, [], None, None), MANY, on_progress, console.warn, seconds=tune)
    with console.progress("compiling") as on_progress:
        choices = build(plan, made_for, out, facts, on_progress, fast_on, store)
        eager = Runner(network, threads=1) if store == "f32" else reference(plan, made_for, store)
        error, checked = None, None
        report = verify(out, plan, eager) if made_for.runs_here else None
        if report:
            error, checked = report.error, "here"
        elif found := verify_elsewhere(out, plan, made_for, eager, on_progress, fast_on):
            error, checked = found
    size = sum(path.stat().st_size for path in out.iterdir())
    steps = encoder.loads((out / MANIFEST).read_text())["steps"]
    settings = Counter(choice.basis if choice else "default" for choice in choices)
    row = {
        "artifact": str(out),
        "model": variant.name,
        "device": made_for.name,
        "dtype": str(plan.dtype),
        "input": [3, height, width],
        "processor": fast_on,
        "layers": len(plan.steps),
        "knobs": dict(Counter(choice.record.provenance if choice else "default" for choice in choices)),
        "settings": dict(settings),
        "measured_on": sorted({name for choice in choices if choice for name in choice.processors}),
        "store": store,
        "size_bytes": size,
        "max_abs_error_m": error,
        "checked": checked,
    } | ({"steps": steps} if layers else {})
    if json:
        console.show_json(row)
        return
    console.heading(f"{out}: {variant.name} for {made_for.name}, {plan.dtype}")
    table = console.table("", "", header=False)
    table.add_row("layers", f"{len(plan.steps)}: {origins(choices, fast_on)}")
    if settings["own"] < len(choices) and fast_on == here().processor:
        table.add_row("to tune here", "zoo compile --tune 240, or zoo tune, which goes on where it stopped")
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


def fast_processor(processor: str | None, device: Device) -> str:
    """What --processor names, else what the device's kernels are to be fast on. Raises ZooError for a name that is none."""
    from ..kernels.processor import NAME
    from ..kernels.selection import processor_of

    if processor and not NAME.fullmatch(processor):
        raise ZooError(f"--processor {processor!r}: a compiler's name, such as znver4 or cortex-a72, or any")
    return processor or processor_of(device)


def origins(choices: list[Choice | None], processor: str) -> str:
    """Where the settings of a network's kernels come from, in words."""
    from ..kernels.selection import ANY, NEAR, OWN

    said = []
    kinds = Counter((c.basis, c.processors, c.record.provenance) if c else None for c in choices)
    for kind, count in kinds.most_common():
        kernels = f"{count} kernel{'s' * (count > 1)}"
        if kind is None:
            said.append(f"{kernels} with default knobs")
            continue
        basis, processors, provenance = kind
        where = " and ".join(processors)
        how = {"imported": "with tilings that won on", "predicted": "predicted for"}.get(provenance, "measured on")
        if basis == OWN:
            said.append(f"{kernels} {how} {where}")
        elif basis == NEAR:
            said.append(f"{kernels} {how} {where}, the nearest to {processor}, on which none was")
        else:
            why = ", the least slow on all of them" if len(processors) > 1 else ""
            none = "" if processor == ANY else f", none on {processor}"
            said.append(f"{kernels} {how} {where}{why}{none}")
    return "; ".join(said)


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
            "zoo compile --device host --tune 240 -o build/host",
            "zoo compile -m fastdepth --device x86-64-v3 --processor znver4 --input 192x256",
            "zoo compile --device tx2 --layers",
            "zoo compile --device wasm --store f16 -o build/web",
            """zoo compile --target '{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a55"}'""",
        ),
    )(compile_)
