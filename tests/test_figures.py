"""The documents' pictures, the rows they are drawn from, and what makes those rows."""

import hashlib
import subprocess
import sys

import pytest

from conftest import ROOT  # isort: skip
from benchmarks import layers, metaschedule
from benchmarks.figures import DOCS, save
from zoo.kernels.bench.bench import Timing
from zoo.kernels.ir.workload import Workload

figures = pytest.importorskip("benchmarks.figures.__main__")
pytest.importorskip("matplotlib")

DRAWN = [name for name in figures.NAMES if name != "rooms"]


def picture(name, path):
    module = __import__(f"benchmarks.figures.{name}", fromlist=["draw"])
    save(module.draw(), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_the_same_bytes_every_time_and_the_one_in_the_documents(tmp_path, name):
    first, again = (picture(name, tmp_path / f"{i}.svg") for i in range(2))
    assert first == again
    kept = DOCS / f"{name}.svg"
    assert kept.stat().st_size < 150_000
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == first, "rows and picture differ: make figures"


def test_every_picture_is_shown_by_a_document():
    pages = "".join(path.read_text() for path in [ROOT / "README.md", *DOCS.glob("*.md")])
    for name in figures.NAMES:
        assert f"{name}.{'png' if name == 'rooms' else 'svg'})" in pages


def test_an_unknown_picture_is_one_line(tmp_path):
    words = [sys.executable, "-m", "benchmarks.figures", "clouds", "-o", str(tmp_path / "x")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: no picture 'clouds'; there are " + ", ".join(figures.NAMES) + "\n"
    assert not (tmp_path / "x").exists()


def event(run, place, name, kind, microseconds):
    return {"ts": run * 100 + place, "name": f"{name}_kernel_time", "dur": microseconds, "args": {"op_name": kind}}


def test_what_lies_between_convolutions_is_counted_to_the_next():
    nodes = [("a", "Conv", 1000), ("b", "Resize", 200), ("c", "Add", 300), ("d", "Conv", 2000), ("e", "Reorder", 50)]
    events = [event(run, i, *node) for run in range(8) for i, node in enumerate(nodes)]
    events.append({"ts": 3, "name": "a_fence_before", "dur": 9e9, "args": {"op_name": "Conv"}})
    assert layers.per_convolution(events) == pytest.approx([1.0, 2.55])


def test_the_limit_is_whichever_is_slower():
    row = {"macs": 50_000_000, "bytes": 1_000_000, "peak_gmacs_per_s": 50, "copy_gbytes_per_s": 10}
    assert layers.limit_ms(row) == pytest.approx(1.0)
    assert layers.limit_ms(row | {"bytes": 20_000_000}) == pytest.approx(2.0)


def test_a_database_cut_short_is_read_up_to_there(tmp_path):
    assert metaschedule.counted(tmp_path) == (0, 0)
    (tmp_path / "output").write_text("Sending 8 sample(s) to builder\nSending 3 sample(s) to builder\n")
    path = tmp_path / "database_tuning_record.json"
    path.write_text("[0, [[], [0.001], {}, []]]\n[0, [[], [1e10], {}, []]]\n[0, [[], [0.0")
    assert metaschedule.counted(tmp_path) == (11, 1)
    assert path.read_text().endswith("{}, []]]\n")


@pytest.mark.parametrize(
    "words",
    [
        "layers.py --json none/rows.jsonl",
        "layers.py -m nothing",
        "metaschedule.py --seconds 1",
        "metaschedule.py --space x",
    ],
)
def test_wrong_arguments_are_a_clear_line(words):
    script, *rest = words.split()
    command = [sys.executable, f"benchmarks/{script}", *rest]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_layer_that_runs_in_two_parts_is_one_row():
    def timing(name, workload, ms):
        macs = Workload.parse(workload).macs
        return Timing(name, workload, ms, ms, ms, macs, 0)

    steps = [
        timing("a.full", "depthwise3s1-f32-c16-8x8+relu", 2.0),
        timing("a.half", "depthwise3s1-f32-c8-8x8+relu", 1.0),
        timing("b", "pointwise1s1-f32-c24-k16-8x8", 4.0),
    ]
    a, b = layers.together(steps)
    assert (a.name, a.workload, a.p50_ms) == ("a", "depthwise3s1-f32-c24-8x8+relu", 3.0)
    assert a.macs == sum(step.macs for step in steps[:2])
    assert b == steps[2]
