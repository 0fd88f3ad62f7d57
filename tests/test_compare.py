"""The comparison: its verdicts, its tables, its command line, and one run of it."""

import json
import subprocess
import sys

import pytest

from conftest import ROOT  # isort: skip
from benchmarks import against, measure, runtimes, tables
from benchmarks.process import PeerError, Process

ROW = {
    "model": "fastdepth_pruned", "runtime": "zoo", "threads": 1, "dtype": "float32", "input": "1x3x224x224",
    "status": "ok", "provenance": "measured", "p10_ms": 7.0, "p50_ms": 7.5, "p90_ms": 8.0, "runs": 40, "fps": 133.3,
    "gmacs_per_s": 48.0, "share_of_peak": 0.84, "max_abs_error_m": 2e-6, "load_ms": 30.0, "size_bytes": 5_800_000,
    "artifact_sha256": "1f", "load": {"before": 0.2, "after": 1.1, "others": 0.1}, "weights_sha256": "2e",
    "versions": {"fastdepth-zoo": "0.1.0"}, "hardware": "a machine", "governor": "performance", "system": "Linux",
    "commit": "abc", "date": "2026-01-01",
}  # fmt: skip
FAILED = ROW | dict.fromkeys(measure.RESULTS)


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
        (9.1, 9.5, 9.9, "much slower"),
        (8.01, 7.8, 8.3, "same"),  # apart, but by less than 5 %
        (6.0, 6.2, 6.9, "faster"),
        (4.0, 5.9, 6.9, "much faster"),
    ],
)
def test_a_bucket_needs_runs_that_do_not_overlap(p10, p50, p90, word):
    assert against.bucket(ROW, ROW | {"p10_ms": p10, "p50_ms": p50, "p90_ms": p90}) == word


SLOWER = {"p10_ms": 9.1, "p50_ms": 9.5, "p90_ms": 9.9}


@pytest.mark.parametrize(
    ("change", "told", "said"),
    [
        ({}, False, "0 much slower, 0 slower, 1 same, 0 faster"),
        (SLOWER, True, "1 much slower, 0 slower, 0 same"),
        (SLOWER | {"runtime": "ncnn"}, False, "1 much slower"),  # not ours
        ({"status": "failed: it fell over"}, True, "zoo, 1: ran before, now failed: it fell over"),
    ],
)
def test_what_got_slower_is_told_of_ours_alone(capsys, change, told, said):
    now = ROW | change
    assert against.report([ROW | {"runtime": now["runtime"]}], [now]) == told
    assert said in capsys.readouterr().out


def test_every_runtime_has_what_the_comparison_asks_for():
    for name in runtimes.NAMES:
        source = (ROOT / "benchmarks" / "runtimes" / f"{runtimes.NAMES[name]}.py").read_text()
        assert "NEEDS" in source, name
        for function in ("prepare", "load", "files"):
            assert function in source, (name, function)


def test_the_tables_fit_80_columns_and_show_failures(tmp_path, capsys):
    slow = ROW | {"runtime": "openvino-default", "p50_ms": 1234.5, "p90_ms": 2345.6, "load_ms": 41438.0}
    rows = [ROW, ROW | {"runtime": "eager", "p50_ms": 30.0}, slow]
    rows.append(FAILED | {"runtime": "ncnn", "status": "failed: it fell over"})
    rows.append(FAILED | {"runtime": "litert", "status": "not installed: pip install x"})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("--show", str(tmp_path / "rows.jsonl"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout
    assert any(line.startswith("openvino-default") and "41.4" in line for line in lines)
    assert "ncnn: failed: it fell over" in lines
    assert "litert: not installed: pip install x" in lines
    assert any(line.startswith("zoo ") and " 4.00 " in line for line in lines)  # times as fast as eager
    assert "zoo: 4.00 times as fast as eager, the best other in float32" in lines
    assert "3. Published, not measured here" in lines
    assert tables.HERE == ROOT / "benchmarks"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--models nothing", "unknown model 'nothing'; there are"),
        ("--runtimes tensorflow", "unknown runtime 'tensorflow'; there are zoo, zoo-int8, eager"),
        ("--threads many", "--threads many: give numbers"),
        ("--show none.jsonl", "none.jsonl: No such file"),
        ("--against README.md --show README.md", "README.md: not rows that --json wrote"),
        ("--device tx2-cpu", "--device tx2-cpu: this machine cannot run"),
        ("--device toaster", "unknown device 'toaster'"),
        ("--json none/rows.jsonl", "--json none/rows.jsonl: there is no folder none"),
        ("--against OTHER", "of another machine (a machine), not of"),
        ("--show EMPTY", "not rows that --json wrote (it is empty)"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, words, message):
    (tmp_path / "OTHER").write_text(json.dumps(ROW))
    (tmp_path / "EMPTY").touch()
    done = run(*(str(tmp_path / word) if word.isupper() else word for word in words.split()))
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_worker_says_what_went_wrong_or_that_it_ended(tmp_path):
    job = runtimes.Job("fastdepth_pruned", "host", 1, tmp_path)  # nothing was prepared there
    process = Process("onnxruntime", job)
    process.ready()
    with pytest.raises(PeerError, match="NoSuchFile"):
        process.load()
    process._process.kill()
    with pytest.raises(PeerError, match="its process ended with code -9"):
        process.turn()
    process.close()


def test_one_run_of_it(tmp_path):
    file = tmp_path / "rows.jsonl"
    words = ("--models", "fastdepth_pruned", "--runtimes", "eager,channels-last", "--threads", "1", "--json", str(file))
    done = run(*words)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["ok", "ok"]
    for row in rows:
        assert row.keys() == ROW.keys()
        assert 0 < row["p10_ms"] <= row["p50_ms"] <= row["p90_ms"]
        assert row["max_abs_error_m"] < 1e-4
        assert row["artifact_sha256"] == row["weights_sha256"]  # what PyTorch reads is the weights' file
    kept = tmp_path / "kept.jsonl"
    kept.write_text(
        "".join(
            json.dumps(row | {"runtime": "zoo", "p10_ms": 1e-3, "p50_ms": 1e-3, "p90_ms": 1e-3}) + "\n"
            for row in rows[:1]
        )
    )
    file.write_text(json.dumps(rows[0] | {"runtime": "zoo"}) + "\n")
    done = run("--show", str(file), "--against", str(kept))
    assert done.returncode == 1
    assert "1 much slower, 0 slower" in done.stdout
