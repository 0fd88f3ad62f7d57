"""Tuning logs: many writers, torn lines, strangers' records, hostile values."""

import json
import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.kernels.device import device, records
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.workload import Workload
from zoo.kernels.records import FOREIGN, Record, append, best, path_of, read
from zoo.kernels.targets import target_of

V4 = device("x86-64-v4")
W = Workload.parse("depthwise5s1-f32-c24-14x14+relu")


def record(seconds=(1e-4, 3e-4, 2e-4), **changes):
    fields = {
        "device": V4.name,
        "workload": W,
        "schedule": target_of(V4).version,
        "knobs": target_of(V4).default(W),
        "seconds": tuple(seconds),
    }
    fields |= {"source": "measured", "host": "test", "tvm": "0", "date": "2026-01-01"}
    return Record(**fields | changes)


def test_a_record_survives_the_log(tmp_path):
    kept = [record(), record((), error="it crashed")]
    append(tmp_path / "a.jsonl", kept)
    append(tmp_path / "a.jsonl", kept[:1])
    assert read(tmp_path / "a.jsonl") == ([*kept, kept[0]], [])
    assert kept[0].time == 2e-4
    assert read(tmp_path / "none.jsonl") == ([], [])


def test_a_torn_last_line_is_skipped_and_the_next_writer_starts_afresh(tmp_path):
    path = tmp_path / "a.jsonl"
    append(path, [record()])
    with path.open("a") as file:
        file.write(record().line()[:70])
    found, remarks = read(path)
    assert len(found) == 1
    assert remarks[0].startswith(f"{path}:2: not a record")
    append(path, [record()])
    found, remarks = read(path)
    assert (len(found), len(remarks)) == (2, 1)


def _write(path, count):
    for i in range(count):
        append(path, [record((1e-6 * (i + 1),))])


def test_many_writers_share_a_log(tmp_path):
    path, context = tmp_path / "a.jsonl", multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path, 40)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found, remarks = read(path)
    assert (len(found), remarks) == (120, [])


def test_the_best_is_the_fastest_that_can_be_used():
    other = next(iter(target_of(V4).space(W)))
    usable = [record((5e-4,)), record((4e-4,), knobs=other)]
    useless = [
        record((1e-4,), device="x86-64-v3"),
        record((1e-4,), schedule=target_of(V4).version - 1),
        record((1e-4,), knobs={**other, "cols": 13}),
        record((1e-4,), knobs={"tile": 3}),
        record((), error="it hung"),
    ]
    assert best([*useless, *usable], V4) == {W: usable[1]}
    assert best(useless, V4) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": [float("nan")]},
        {"seconds": [-1]},
        {"seconds": [1e999]},
        {"seconds": "fast"},
        {"seconds": None},
        {"knobs": {"rows": -1}},
        {"knobs": {"rows": 1e9}},
        {"knobs": {"rows": True}},
        {"knobs": {"rows": 10**30}},
        {"knobs": [1]},
        {"workload": "rm -rf"},
        {"workload": 7},
        {"source": "dreamt"},
        {"schedule": "1"},
        {"extra": 1},
    ],
)
def test_hostile_values_are_refused(change):
    fields = json.loads(record().line()) | change
    with pytest.raises(KernelError, match="not a"):
        Record.parse(json.dumps(fields))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_log_with_remarks(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("log") / "a.jsonl"
    path.write_bytes(content)
    found, _ = read(path)
    assert found == []


def test_deep_nesting_does_not_matter():
    with pytest.raises(KernelError):
        Record.parse("[" * 100_000)


@pytest.mark.parametrize("name", [r.name for r in records()])
def test_the_logs_we_ship_are_sound(name):
    found, remarks = read(path_of(device(name)))
    assert remarks == []
    for kept in found:
        assert kept.device == name
        assert kept.schedule == target_of(V4).version or (kept.schedule, kept.source) == (FOREIGN, "imported")
    assert set(best(found, device(name))) == {
        r.workload for r in found if r.seconds and r.schedule == target_of(V4).version
    }
