"""The design study: its tables, what they show, its command line, and one run of it."""

import json
import subprocess
import sys

import pytest
import torch

from conftest import ROOT  # isort: skip
from benchmarks import instead, study
from zoo.errors import ZooError
from zoo.variant import catalogue

ROW = {
    "hardware": "a machine", "date": "2026-01-01", "load": 0.1, "threads": 1, "input": "1x3x224x224", "status": "ok",
    "macs": 1_000_000_000, "weights": 2_000_000, "p50_ms": 1000.0, "what": "something else",
}  # fmt: skip


def rows(**times):
    """Rows of the two networks that the study is about: milliseconds as heavy_eager, light_zoo, …"""
    names = {"heavy": (study.HEAVY, 3_000_000_000), "light": (study.LIGHT, 1_000_000_000)}
    made = []
    for key, value in times.items():
        which, runtime = key.split("_")
        model, macs = names[which]
        made.append(ROW | {"model": model, "runtime": runtime, "macs": macs, "p50_ms": value})
    return made


def run(*words, **options):
    command = [sys.executable, "benchmarks/ablation.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def test_every_network_of_the_zoo_and_its_study_is_in_the_table():
    assert {v.name for v in (*catalogue(), *catalogue(study=True))} | {"vit_small"} == set(study.NAMES)


@pytest.mark.parametrize(
    ("eager", "compiled", "verdicts"),
    [(15.0, 25.0, "eagerly less arrives, compiled more"), (25.0, 15.0, "eagerly more arrives, compiled less")],
)
def test_the_finding_is_read_off_the_rows(eager, compiled, verdicts):
    made = rows(heavy_eager=eager, light_eager=10.0, heavy_zoo=compiled, light_zoo=10.0)
    text = " ".join(study.findings({(row["model"], row["runtime"]): row for row in made}))
    assert f"{eager / 10:.2f} times as long eagerly, {compiled / 10:.2f} times compiled" in text
    assert f"3.00 times MobileNet's work and takes {eager / 10:.2f}" in text
    assert f"begins at 2.00: {verdicts}." in text


def test_without_both_networks_there_is_no_finding():
    made = rows(heavy_eager=2.0, light_eager=1.0, heavy_zoo=2.0)
    assert study.findings({(row["model"], row["runtime"]): row for row in made}) == []


def test_the_tables_fit_80_columns_and_say_why_a_cell_is_empty(tmp_path):
    made = [ROW | {"model": name, "runtime": r} for name in study.NAMES for r in ("eager", "zoo", "onnxruntime")]
    for row in made:
        if (row["model"], row["runtime"]) == ("mobilenet_upconv", "zoo"):
            row["status"] = "not compiled: the plan has no step for that"
            del row["p50_ms"]
        if row["model"] == "vit_small":
            row["status"] = "not installed: pip install transformers"
            del row["p50_ms"]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    done = run("--show", str(tmp_path / "rows.jsonl"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout
    assert "mobilenet_upconv not compiled: the plan has no step for that" in lines
    assert "vit_small, eager: not installed: pip install transformers" in lines
    assert all(any(line.startswith(name) for line in lines) for name in study.NAMES)


def test_the_rows_that_are_kept_are_shown():
    for path in (ROOT / "benchmarks" / "results").glob("ablation-*.jsonl"):
        assert set(study.NAMES) - {row["model"] for row in study.read(path)} <= {
            "fastdepth_lite"
        }  # newer than they are


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--networks nothing", "unknown network 'nothing'; there are resnet50_nnconv5"),
        ("--show none.jsonl", "none.jsonl: No such file"),
        ("--show README.md", "README.md: not rows that --json wrote"),
    ],
)
def test_wrong_arguments_are_one_line(words, message):
    done = run(*words.split())
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_one_run_of_it(tmp_path):
    file = tmp_path / "rows.jsonl"
    done = run("--networks", "mobilenet_deconv5", "--rounds", "2", "--json", str(file))
    assert done.returncode == 0, done.stderr
    eager, compiled = [json.loads(line) for line in file.read_text().splitlines()]
    assert set(ROW) - {"what"} <= eager.keys()
    assert (eager["runs"], eager["provenance"]) == (2, "measured")
    assert 0 < eager["p10_ms"] <= eager["p50_ms"] <= eager["p90_ms"]
    assert "has no step for aten.conv_transpose2d" in compiled["status"]
    assert "p50_ms" not in compiled
    assert "mobilenet_deconv5 not compiled" in done.stdout


def test_without_transformers_there_is_a_row_that_says_so(monkeypatch):
    monkeypatch.setattr(instead, "find_spec", lambda name: None)
    assert instead.networks()[1].missing == "not installed: pip install transformers"
    assert not instead.networks()[0].missing


@pytest.mark.filterwarnings("ignore")
def test_the_vision_transformer_is_built_without_weights_or_network():
    pytest.importorskip("transformers")
    network = instead.networks()[1].make()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 56, 70)).shape == (1, 1, 56, 70)
    assert sum(p.numel() for p in network.parameters()) == 24_785_089


def test_a_transformers_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ZooError, match="transformers is installed and cannot be used"):
        instead.networks()[1].make()
