"""TVM's own tuner, MetaSchedule, and this project's at equal wall time, on the heaviest layers of the pruned network.

    python benchmarks/metaschedule.py                 show what benchmarks/results/metaschedule-PROCESSOR.jsonl holds
    python benchmarks/metaschedule.py --seconds 60    search first what it lacks (stops and goes on, a layer at a time)

MetaSchedule gets our computation before any schedule, channels already in blocks of a vector, and searches with its own rules,
both processors and its own cost model. `--space default` is its space as it comes; `--space bounded` has one vector as the
innermost tile and at most 16 unrolled steps, instead of 64 and 512, which the compiler is quicker with. Ours begins with an
empty log and uses one processor. Then the best of each is timed again, in turn, in one process.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks.conditions import conditions  # noqa: E402
from zoo import console  # noqa: E402
from zoo.kernels.device import Device, host  # noqa: E402
from zoo.kernels.ir.workload import Workload  # noqa: E402
from zoo.kernels.processor import here  # noqa: E402
from zoo.kernels.records import Record  # noqa: E402
from zoo.kernels.tuning.local import LocalRunner  # noqa: E402
from zoo.kernels.tuning.measure import FLUSH, RUNS  # noqa: E402
from zoo.kernels.tuning.search import tune  # noqa: E402

LAYERS = [
    "pointwise1s1-f32-c88-k120-56x56+relu6",
    "pointwise1s1-f32-c408-k376-14x14+relu6",
    "double+add>depthwise5s1-f32-c256-28x28+relu",
    "depthwise3s1-f32-c88-56x56+relu6",
]
BATCH = 8  # settings that MetaSchedule builds and measures at a time; ours has the same
BUILD_LIMIT = 10.0  # seconds; some of its settings would keep the compiler busy for minutes
FAILED = 1e9  # seconds, its mark of a setting that did not run
SPACES = ("default", "bounded")
TURNS = 5
Row = dict[str, Any]


os.environ["TVM_NUM_THREADS"] = "1"


def main(
    seconds: Annotated[
        int | None, typer.Option(min=10, help="For each tuner and layer; search what is lacking.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Layers to search now, at most.")] = len(LAYERS),
    space: Annotated[str, typer.Option(help="MetaSchedule's: default or bounded.")] = "default",
    search: Annotated[str | None, typer.Option(hidden=True)] = None,
    folder: Annotated[Path, typer.Option(hidden=True)] = Path(),
) -> None:
    """Compare the two tuners."""
    device = host()
    if search:
        metaschedule(Workload.parse(search), device, space, folder)
        return
    if space not in SPACES:
        console.complain(f"--space {space}: give {' or '.join(SPACES)}")
        raise typer.Exit(2)
    path = ROOT / "benchmarks" / "results" / f"metaschedule-{here().processor}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if seconds:
        known = [(row["workload"], row["space"], row["seconds"]) for row in rows]
        for layer in [layer for layer in LAYERS if (layer, space, seconds) not in known][:most]:
            rows.append(compare(Workload.parse(layer), device, space, seconds))
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if not rows:
        console.complain(f"{path}: no rows yet; run with --seconds 60")
        raise typer.Exit(2)
    console.heading(f"Best of each tuner after the same wall time; 1 thread, {rows[0]['hardware']}")
    table = console.table("layer", "space", "s ", "ours ms ", "tried ", "theirs ms ", "tried ", "built ", "ratio ")
    for row in rows:
        best = row["metaschedule_ms"]
        theirs = (f"{best:.3f}", f"{best / row['zoo_ms']:.2f}") if best else ("none", "")
        counts = (str(row["metaschedule_settings"]), str(row["metaschedule_built"]))
        ours = (f"{row['zoo_ms']:.3f}", str(row["zoo_settings"]))
        table.add_row(row["workload"], row["space"], str(row["seconds"]), *ours, theirs[0], *counts, theirs[1])
    console.out.print(table)


def compare(w: Workload, device: Device, space: str, seconds: int) -> Row:
    """Both searches, one after the other, and their best timed in turn."""
    before = os.getloadavg()[0]
    console.say(f"{w}: our search")
    records = ours(w, device, seconds)
    console.say(f"{w}: MetaSchedule's")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        command = [sys.executable, __file__, "--search", str(w), "--space", space, "--folder", scratch]
        with (folder / "output").open("w") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its builders with it
                process.wait()
        settings, built = counted(folder)
        zoo_ms, theirs_ms = timed(w, device, min(records, key=lambda record: record.time).knobs, folder)
    load = {"before": round(before, 2), "after": round(os.getloadavg()[0], 2)}
    row = {"workload": str(w), "space": space, "seconds": seconds, "threads": 1, "provenance": "measured"}
    row |= {"zoo_ms": zoo_ms, "zoo_settings": len(records), "metaschedule_ms": theirs_ms}
    return row | {"metaschedule_settings": settings, "metaschedule_built": built, "load": load} | conditions()


def ours(w: Workload, device: Device, seconds: float) -> list[Record]:
    """What `zoo tune` measures in that time from an empty log."""
    end, records = time.monotonic() + seconds, list[Record]()

    class Enough(Exception):  # noqa: N818
        pass

    with LocalRunner(device) as runner:

        def measure(w: Workload, knobs: dict[str, int]) -> Record:
            if (left := end - time.monotonic()) <= 0:
                raise Enough
            return runner.measure(w, knobs, left)

        with contextlib.suppress(Enough):
            tune([w], device, 1_000_000, records, measure, lambda _: None)
    return records


def unscheduled(w: Workload, device: Device) -> Any:
    """The computation of a layer as a module with one function, `main`."""
    import tvm
    from tvm import te

    from zoo.kernels.algorithm import compute

    function = te.create_prim_func(compute(w, device.simd_lanes))
    return tvm.IRModule({"main": function.with_attr("global_symbol", "main")})


def target_of(device: Device) -> Any:
    """The device as TVM's tuner wants it: with a number of cores, here the one that layers are timed on."""
    import tvm

    return tvm.target.Target(dict(device.target) | {"num-cores": 1})


def metaschedule(w: Workload, device: Device, space: str, folder: Path) -> None:
    """Search until killed. What was measured is in the folder's database."""
    from tvm.s_tir import meta_schedule

    evaluator = meta_schedule.runner.EvaluatorConfig(
        number=1, repeat=RUNS, min_repeat_ms=0, enable_cpu_cache_flush=True
    )
    meta_schedule.tune_tir(
        unscheduled(w, device),
        target_of(device),
        str(folder),
        max_trials_global=1_000_000,
        num_trials_per_iter=BATCH,
        space=_space(space, device.simd_lanes),
        builder=meta_schedule.builder.LocalBuilder(timeout_sec=BUILD_LIMIT),
        runner=meta_schedule.runner.LocalRunner(evaluator_config=evaluator),
        seed=0,
    )


def _space(name: str, lanes: int) -> Any:
    """Its rules for processors, as they come or bounded."""
    if name == "default":
        return "post-order-apply"
    from tvm.s_tir.meta_schedule import schedule_rule as rule
    from tvm.s_tir.meta_schedule import space_generator

    rules = [
        rule.InlineConstantScalars(),
        rule.AutoInline(
            into_producer=False,
            into_consumer=True,
            inline_const_tensor=True,
            disallow_if_then_else=True,
            require_injective=True,
            require_ordered=True,
            disallow_op=["tirx.exp"],
        ),
        rule.MultiLevelTiling(
            structure="SSRSRS",
            max_innermost_factor=lanes,
            reuse_write=rule.ReuseType(req="may", levels=[1, 2], scope="global"),
        ),
        rule.ParallelizeVectorizeUnroll(max_vectorize_extent=lanes, unroll_max_steps=[0, 16], unroll_explicit=True),
        rule.RandomComputeLocation(),
    ]
    return space_generator.PostOrderApply(sch_rules=rules)


def counted(folder: Path) -> tuple[int, int]:
    """(settings that were tried, those that were built and ran). A last line cut short by the end is taken off."""
    output, path = folder / "output", folder / "database_tuning_record.json"
    tried = sum(map(int, re.findall(r"Sending (\d+) sample", output.read_text()))) if output.exists() else 0
    if not path.exists():
        return tried, 0
    text = path.read_text()
    path.write_text(text[: text.rfind("\n") + 1])
    seconds = [json.loads(line)[1][1] for line in path.read_text().splitlines()]
    return tried, sum(min(times) < FAILED for times in seconds)


def timed(w: Workload, device: Device, knobs: dict[str, int], folder: Path) -> tuple[float, float | None]:
    """Median milliseconds of both, in turn, on one processor, the cache flushed before every run as the tuner does."""
    import tvm
    from tvm.s_tir import meta_schedule

    from zoo.kernels.algorithm import operands
    from zoo.kernels.targets import scheduled

    modules = {"zoo": scheduled(w, device, knobs, "main").mod}
    if counted(folder)[1]:
        database = meta_schedule.database.JSONDatabase(work_dir=str(folder))
        found = database.query_ir_module(unscheduled(w, device), target_of(device), "main")
        modules["metaschedule"] = found
    tensors = [tvm.runtime.tensor(values) for values in operands(w, device.simd_lanes)]
    built = {name: tvm.compile(module, target=target_of(device)).jit() for name, module in modules.items()}
    times: dict[str, list[float]] = {name: [] for name in modules}
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    for _ in range(TURNS):
        for name, compiled in built.items():
            clock = compiled.time_evaluator("main", tvm.cpu(), number=1, repeat=RUNS + 1, cache_flush_bytes=FLUSH)
            times[name] += clock(*tensors).results[1:]
    os.sched_setaffinity(0, allowed)
    medians = {name: round(statistics.median(values) * 1e3, 5) for name, values in times.items()}
    return medians["zoo"], medians.get("metaschedule")


if __name__ == "__main__":
    typer.run(main)
