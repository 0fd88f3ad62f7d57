"""zoo bench."""

from __future__ import annotations

from pathlib import Path

import typer

from .. import console
from ..kernels.errors import KernelError
from .options import Artifact, Json, Layers, Threads, examples


def bench(
    artifact: Artifact = Path("build/host"),
    threads: Threads = 1,
    layers: Layers = False,
    json: Json = False,
) -> None:
    """Time an artifact against what this machine can do at most, measured first."""
    from ..kernels.bench.bench import bench as run
    from ..kernels.bench.peak import peak
    from ..kernels.device import device as find
    from ..kernels.device import records
    from ..kernels.dtype import DType
    from ..kernels.processor import here
    from ..kernels.runtime.fastdepth import ArtifactError, read_manifest
    from ..kernels.selection import ANY

    try:
        manifest = read_manifest(artifact)
        named = any(record.name == manifest["device"] for record in records())
        most = peak(find(manifest["device"] if named else "host"), threads)
        whole, steps = run(artifact, threads)
    except ArtifactError as error:
        raise KernelError(str(error)) from error
    rows = [timing.row(most) for timing in (*steps, whole)]
    compiled_for = manifest.get("processor", ANY)  # artifacts of old do not say
    if json:
        facts = {
            "artifact": str(artifact),
            "device": manifest["device"],
            "processor": here().processor,
            "compiled_for": compiled_for,
            "threads": threads,
            "dtype": manifest["dtype"],
        }
        limits = {"peak_gmacs_per_s": most.gmacs, "copy_gbytes_per_s": most.gbytes}
        console.show_json(facts | limits | {"whole": rows[-1], "steps": rows[:-1] if layers else []})
        return
    said = f"{threads} thread{'s' * (threads > 1)}, {DType.parse(manifest['dtype']).tvm}, median of 60 runs"
    console.heading(f"{artifact}: {whole.name} on {here().processor}, {said}")
    if manifest["kind"] == "cpu" and compiled_for not in (here().processor, ANY):
        console.say(f"its settings were chosen for {compiled_for}; `zoo compile` chooses for this machine")
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


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("zoo bench", "zoo bench --artifact build/host --threads 2 --layers"))(bench)
