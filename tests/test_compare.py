"""The comparison: its verdicts, its tables, its command line, and one run of it."""

import json
import subprocess
import sys

import pytest

from conftest import ROOT  # isort: skip
from benchmarks import against, runtimes, tables

ROW = {
    "hardware": "a machine", "governor": "performance", "date": "2026-01-01", "commit": "abc", "load": 0.1,
    "model": "fastdepth_pruned", "threads": 1, "dtype": "float32", "input": "1x3x224x224", "runtime": "zoo",
    "status": "ok", "provenance": "measured", "p10_ms": 7.0, "p50_ms": 7.5, "p90_ms": 8.0, "fps": 133.3,
    "gmacs_per_s": 48.0, "share_of_peak": 0.84, "max_abs_error_m": 2e-6, "load_ms": 30.0, "size_bytes": 5_800_000,
}  # fmt: skip


def run(*words, **options):
    return subprocess.run(
        [sys.executable, "benchmarks/compare.py", *words], cwd=ROOT, capture_output=True, text=True, **options
    )


@pytest.mark.parametrize(
    ("p10", "p50", "p90", "word"),
    [
        (7.1, 7.6, 8.1, "same"),
        (7.9, 9.0, 9.5, "same"),  # slower in the middle, but the runs overlap
        (8.1, 8.2, 8.3, "slower"),
        (8.01, 7.8, 8.3, "same"),  # apart, but by less than 5 %
        (6.0, 6.2, 6.9, "faster"),
    ],
)
def test_a_verdict_needs_runs_that_do_not_overlap(p10, p50, p90, word):
    assert against.verdict(ROW, ROW | {"p10_ms": p10, "p50_ms": p50, "p90_ms": p90}) == word


def test_every_runtime_has_what_the_comparison_asks_for():
    for name in runtimes.NAMES:
        source = (ROOT / "benchmarks" / "runtimes" / f"{runtimes.NAMES[name]}.py").read_text()
        assert "NEEDS" in source, name
        for function in ("prepare", "load", "files"):
            assert function in source, (name, function)


def test_the_tables_fit_80_columns_and_show_failures(tmp_path, capsys):
    rows = [ROW, ROW | {"runtime": "openvino-default", "p50_ms": 1234.5, "p90_ms": 2345.6, "load_ms": 41438.0}]
    rows.append({**{k: ROW[k] for k in list(ROW)[:8]}, "runtime": "ncnn", "status": "failed: it fell over"})
    rows.append({**{k: ROW[k] for k in list(ROW)[:8]}, "runtime": "litert", "status": "not installed: pip install x"})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("--show", str(tmp_path / "rows.jsonl"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout
    assert any(line.startswith("openvino-default") and "41.44" in line for line in lines)
    assert "ncnn: failed: it fell over" in lines
    assert "litert: not installed: pip install x" in lines
    assert "3. Published, not measured here" in lines
    assert tables.HERE == ROOT / "benchmarks"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--models nothing", "unknown model 'nothing'; there are"),
        ("--runtimes tensorflow", "unknown runtime 'tensorflow'; there are zoo, eager"),
        ("--threads many", "--threads many: give numbers"),
        ("--show none.jsonl", "none.jsonl: No such file"),
        ("--against README.md --show README.md", "README.md: not rows that --json wrote"),
    ],
)
def test_wrong_arguments_are_one_line(words, message):
    done = run(*words.split())
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_one_run_of_it(tmp_path):
    file = tmp_path / "rows.jsonl"
    words = ("--models", "fastdepth_pruned", "--runtimes", "eager,channels-last", "--threads", "1", "--json", str(file))
    done = run(*words)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["ok", "ok"]
    for row in rows:
        assert set(ROW) <= row.keys()
        assert 0 < row["p10_ms"] <= row["p50_ms"] <= row["p90_ms"]
        assert row["max_abs_error_m"] < 1e-4
    assert run(*words[:-2], "--against", str(file)).returncode in (0, 1)
    faster = [row | {"p10_ms": 1e-3, "p50_ms": 1e-3, "p90_ms": 1e-3, "runtime": "zoo"} for row in rows[:1]]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*faster, *rows[1:]]))
    slower = tmp_path / "slower.jsonl"
    slower.write_text(json.dumps(rows[0] | {"runtime": "zoo"}) + "\n")
    done = run("--show", str(slower), "--against", str(file))
    assert done.returncode == 1
    assert "slower" in done.stdout
