"""The design study of the paper, rerun: what each choice costs in work, and in time, eagerly and compiled.

    python benchmarks/ablation.py                                      every network, one thread
    python benchmarks/ablation.py --networks fastdepth,resnet18_nnconv5 --rounds 20
    python benchmarks/ablation.py --keep build/ablation --json rows.jsonl   keep what was compiled, and the rows
    python benchmarks/ablation.py --show rows.jsonl                    the tables from kept rows, nothing measured

Random weights: times only. All networks run in turn, round after round, so that what drifts hits all alike.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import instead, study  # noqa: E402
from benchmarks.conditions import conditions  # noqa: E402
from zoo import console  # noqa: E402
from zoo.errors import ZooError  # noqa: E402
from zoo.kernels.errors import KernelError  # noqa: E402

ROUNDS = 10
SHORT_MS = 100.0  # a network that takes longer fills the caches by itself
AGREE = 1e-4  # of the largest depth: what compiled and eager may differ by
Run = Callable[[np.ndarray], np.ndarray]
Row = dict[str, Any]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python benchmarks/ablation.py --networks fastdepth,resnet18_nnconv5 --rounds 20")
def ablation(
    networks: Annotated[str, typer.Option(help=f"Of {', '.join(study.NAMES)}.")] = ",".join(study.NAMES),
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads for all.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is timed.")] = ROUNDS,
    keep: Annotated[Path | None, typer.Option(help="Folder for what is compiled; what is there is used again.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="File to write the rows to, as JSON lines.")] = None,
    show: Annotated[Path | None, typer.Option(help="Rows kept earlier, to show instead of measuring.")] = None,
) -> None:
    """Time the networks of the study, and what people would pick instead."""
    names = networks.split(",")
    for name in names:
        if name not in study.NAMES:
            raise ZooError(f"unknown network {name!r}; there are {', '.join(study.NAMES)}")
    if show:
        study.show(study.read(show))
        return
    with _folder(keep) as folder, console.progress("design study") as on_progress:
        rows = measure(names, threads, rounds, folder, on_progress)
    if json_:
        from zoo.files import write_atomic

        write_atomic(json_, "".join(json.dumps(row) + "\n" for row in rows).encode())
    study.show(rows)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)


def measure(
    names: list[str], threads: int, rounds: int, folder: Path, on_progress: Callable[[str, int, int], None]
) -> list[Row]:
    """A row per network and runtime."""
    import torch

    torch.set_num_threads(threads)
    common = conditions() | {"threads": threads, "dtype": "float32", "provenance": "measured"}
    common |= {"load": round(os.getloadavg()[0], 2)}
    rows: list[Row] = []
    runs: list[tuple[Row, Run, np.ndarray]] = []
    others = {other.name: other for other in instead.networks()}
    for i, name in enumerate(names):
        on_progress(f"preparing {name}", i, len(names))
        torch.manual_seed(0)
        prepare = _other(others[name], folder) if name in others else _variant(name, folder)
        for row, load, image in prepare:
            rows.append(common | {"model": name} | row)
            if rows[-1]["status"] == "ok":
                runs.append((rows[-1], load(threads), image))
    for row, run, image in runs:
        if "error_to" in row:
            row["max_relative_error"] = _difference(run(image), row.pop("error_to"))
            if row["max_relative_error"] > AGREE:
                raise KernelError(
                    f"{row['model']}: {row['runtime']} differs from eager by {row['max_relative_error']:.0e}"
                )
    times = _time(runs, rounds, on_progress)
    for (row, _, _), found in zip(runs, times, strict=True):
        low, middle, high = (round(float(x), 3) for x in np.percentile(found, (10, 50, 90)))
        row |= {"p10_ms": low, "p50_ms": middle, "p90_ms": high, "runs": len(found)}
    return rows


def _time(
    runs: list[tuple[Row, Run, np.ndarray]], rounds: int, on_progress: Callable[[str, int, int], None]
) -> list[list[float]]:
    """Milliseconds of each, one call after the other in every round."""
    times: list[list[float]] = [[] for _ in runs]
    for i in range(rounds):
        for (row, run, image), found in zip(runs, times, strict=True):
            on_progress(f"{row['model']}, {row['runtime']}", i, rounds)
            if not found or found[-1] < SHORT_MS:
                run(image)  # the caches are this network's again
            began = time.perf_counter()
            run(image)
            found.append((time.perf_counter() - began) * 1e3)
    return times


def _variant(name: str, folder: Path) -> Iterator[tuple[Row, Callable[[int], Run], np.ndarray]]:
    """A network of the zoo, eagerly and compiled."""
    import zoo
    from zoo.inference.predictor import Runner
    from zoo.kernels.artifact.build import build
    from zoo.kernels.device import host
    from zoo.kernels.ir.trace import trace
    from zoo.kernels.runtime.fastdepth import MANIFEST, FastDepth
    from zoo.model.network import count

    network = zoo.load(name, pretrained=False)
    height, width = network.variant.input
    image = _image(height, width)
    macs, weights = count(network, height, width)
    facts = {"input": f"1x3x{height}x{width}", "macs": macs, "weights": weights}
    eager = Runner(network)
    yield facts | {"runtime": "eager", "status": "ok"}, lambda _: eager, image
    path = folder / name
    try:
        if not (path / MANIFEST).exists():
            build(trace(network, height, width), host(), path, {"name": name, "weights_sha256": "", "status": "random"})
    except KernelError as error:
        yield facts | {"runtime": "zoo", "status": f"not compiled: {error}"}, lambda _: eager, image
        return
    steps = json.loads((path / MANIFEST).read_text())["steps"]
    tuned = {"steps": len(steps), "steps_tuned": sum(step["provenance"] != "default" for step in steps)}
    yield (
        facts | tuned | {"runtime": "zoo", "status": "ok", "error_to": eager(image)},
        lambda n: FastDepth(path, n),
        image,
    )


def _other(other: instead.Instead, folder: Path) -> Iterator[tuple[Row, Callable[[int], Run], np.ndarray]]:
    """A network that others would pick, eagerly and in ONNX Runtime."""
    height, width = other.input
    image, facts = _image(height, width), {"input": f"1x3x{height}x{width}", "what": other.what}
    if other.missing:
        yield facts | {"runtime": "eager", "status": other.missing}, lambda _: lambda x: x, image
        return
    import torch

    network = other.make()
    macs, weights = instead.count(network, height, width)
    facts |= {"macs": macs, "weights": weights}

    @torch.inference_mode()
    def eager(array: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(array)[None])[0, 0].numpy()

    yield facts | {"runtime": "eager", "status": "ok"}, lambda _: eager, image
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        missing = "not installed: pip install onnxruntime onnxscript"
        yield facts | {"runtime": "onnxruntime", "status": missing}, lambda _: eager, image
        return
    path = folder / f"{other.name}.onnx"
    if not path.exists():
        from benchmarks.runtimes.onnx import write

        write(network, image, path)

    def load(threads: int) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        given = session.get_inputs()[0].name
        return lambda array: session.run(None, {given: array[None]})[0][0, 0]

    yield facts | {"runtime": "onnxruntime", "status": "ok", "error_to": eager(image)}, load, image


def _image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((3, height, width), np.float32)


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


if __name__ == "__main__":
    try:
        app()
    except (ZooError, KernelError) as error:
        console.complain(str(error))
        sys.exit(2)
