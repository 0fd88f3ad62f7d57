"""Tuning logs: many writers, torn lines, strangers' records, hostile values."""

import json
import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.kernels.device import device, records
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.workload import Workload
from zoo.kernels.processor import Machine
from zoo.kernels.records import FOLDER, FOREIGN, Record, append, best, least_seconds, path_of, read
from zoo.kernels.targets import target_of

V4 = device("x86-64-v4")
W = Workload.parse("depthwise5s1-f32-c24-14x14+relu")


def record(seconds=(1e-4, 3e-4, 2e-4), **changes):
    fields = {
        "device": V4.name,
        "workload": W,
        "schedule_version": target_of(V4).version,
        "knobs": target_of(V4).default(W),
        "seconds": tuple(seconds),
    }
    fields |= {"provenance": "measured", "machine": Machine("znver4", "test", cores=2, l2=1 << 20), "tvm": "0"}
    fields |= {"date": "2026-01-01"}
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
        record((1e-4,), schedule_version=target_of(V4).version - 1),
        record((1e-4,), knobs={**other, "tile_w": 13}),
        record((1e-4,), knobs={"tile": 3}),
        record((), error="it hung"),
    ]
    assert best([*useless, *usable], V4) == {W: usable[1]}
    assert best(useless, V4) == {}


SIZES = [(10**7, 8, 8), (8, 10**7, 8), (8, 8, 10**7), (0, 8, 8), (8, 8, 0), ("9" * 5000, 8, 8), (2**14 + 1, 8, 8)]


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": [float("nan")]},
        {"seconds": [-1]},
        {"seconds": [1e999]},
        {"seconds": "fast"},
        {"seconds": None},
        {"knobs": {"tile_h": -1}},
        {"knobs": {"tile_h": 1e9}},
        {"knobs": {"tile_h": True}},
        {"knobs": {"tile_h": 10**30}},
        {"knobs": [1]},
        {"workload": "rm -rf"},
        {"workload": 7},
        {"provenance": "dreamt"},
        {"schedule_version": "1"},
        {"extra": 1},
        {"device": ["host"]},
        {"date": 7},
        {"processor": "znver4"},
        {"machine": "znver4"},
        {"machine": None},
        *({"machine": {"processor": name, "name": "x"}} for name in ("", "../znver4", "Zen 4", "a" * 41, 7, None)),
        *({"machine": {"processor": "znver4", "name": name}} for name in (7, None, "x" * 201)),
        *({"machine": {"processor": "znver4", "name": "x", "l2": size}} for size in (0, -1, 1.5, True, 10**30)),
        {"machine": {"processor": "znver4", "name": "x", "wings": 2}},
        *({"seconds": [1e-4, value]} for value in (1e-320, 1e-12, 1e-9)),
        *({"workload": "pool2s2-f32-c64-112x112", "seconds": [value]} for value in (1e-320, 1e-9)),
        *({"workload": f"pointwise1s1-f32-c{c}-k{k}-{h}x{h}"} for c, k, h in SIZES),
        {"workload": "depthwise3s0-f32-c8-8x8"},
    ],
)
def test_hostile_values_are_refused(change):
    fields = json.loads(record().line()) | change
    with pytest.raises(KernelError, match="not a"):
        Record.parse(json.dumps(fields))


@pytest.mark.parametrize("key", ["seconds", "provenance", "tile_h"])
def test_a_key_that_stands_twice_is_a_remark(tmp_path, key):
    line = record().line()
    value = json.dumps((json.loads(line) | json.loads(line)["knobs"])[key])
    (tmp_path / "a.jsonl").write_text(line + line.replace(f'"{key}": ', f'"{key}": {value}, "{key}": ', 1) + line)
    found, remarks = read(tmp_path / "a.jsonl")
    assert len(found) == 2
    assert [remark.split(": ")[0] for remark in remarks] == [f"{tmp_path / 'a.jsonl'}:2"]
    assert "stands twice" in remarks[0]


@pytest.mark.parametrize("name", [*(r.name for r in records()), "a board of somebody's"])
def test_no_kernel_is_ten_times_as_fast_as_its_device(name):
    least = least_seconds(name, W)
    line = record((least,), device=name).line()
    assert Record.parse(line).seconds == (least,)
    with pytest.raises(KernelError, match="in less than"):
        Record.parse(record((least * 0.99,), device=name).line())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_log_with_remarks(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("log") / "a.jsonl"
    path.write_bytes(content)
    found, _ = read(path)
    assert found == []


V1 = {
    "cpu": ("depthwise5s1-f32-c24-14x14+relu", {"rows": 2, "cols": 7, "blocks": 1, "strip": 14, "unroll": 1}),
    "head": ("head1s1-f32-c16-k1-28x28+relu", {"cols": 14}),
    "cuda": (
        "pointwise1s1-f32-c16-k24-14x14",
        {"across": 8, "down": 7, "wide": 2, "channels": 3, "rows": 2, "columns": 7, "chunk": 4, "apart_rows": 2},
    ),
    "cuda head": ("head1s1-f32-c16-k1-28x28+relu", {"down": 4, "wide": 28}),
}
V2 = {
    "cpu": {"tile_h": 2, "tile_w": 7, "tile_oc": 1, "task_h": 14, "unroll": 1},
    "head": {"tile_w": 14},
    "cuda": {
        **{"threads_oc": 8, "threads_h": 7, "threads_w": 2, "thread_oc": 3, "thread_h": 2, "thread_w": 7},
        **{"tile_ic": 4, "vthread_h": 2},
    },
    "cuda head": {"threads_h": 4, "threads_w": 28},
}


def version_1(workload, knobs, schedule=1):
    fields = {"device": "mine", "workload": workload, "schedule": schedule, "knobs": knobs, "seconds": [1e-4]}
    fields |= {"source": "measured", "host": "a board", "tvm": "0.27", "date": "2026-11-22", "error": None}
    return json.dumps(fields)


@pytest.mark.parametrize("case", V1)
def test_lines_of_version_1_are_read_in_the_words_of_today(case, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(version_1(*V1[case]) + "\n")
    append(path, [record()])
    (old, new), remarks = read(path)
    assert (remarks, new) == ([], record())
    assert (old.knobs, str(old.workload)) == (V2[case], V1[case][0])
    assert (old.provenance, old.machine, old.schedule_version) == ("measured", Machine("unknown", "a board"), 1)
    target_of(device("tx2" if "cuda" in case else "x86-64-v4")).check(old.workload, old.knobs)
    assert json.loads(old.line())["version"] == 3
    assert Record.parse(old.line()) == old


def test_knobs_of_foreign_schedules_keep_their_names():
    kept = Record.parse(version_1("pointwise1s1-f32-c16-k24-14x14", {"tile_f.1": 2, "rows": 3}, FOREIGN))
    assert kept.knobs == {"tile_f.1": 2, "rows": 3}


@pytest.mark.parametrize(
    ("name", "processor"),
    [("tx2-cpu", "cortex-a57"), ("tx2", "sm_62"), ("x86-64-v4", "unknown"), ("somebody-s", "unknown")],
)
def test_lines_of_version_2_are_of_the_board_s_own_processor_or_do_not_say(name, processor):
    fields = json.loads(record(device=name).line()) | {"version": 2, "processor": "AMD EPYC"}
    del fields["machine"]
    assert Record.parse(json.dumps(fields)) == record(device=name, machine=Machine(processor, "AMD EPYC"))


@pytest.mark.parametrize("version", [0, 1, 2, 4, "3", None])
def test_another_version_is_refused(version):
    with pytest.raises(KernelError, match=r"this program reads versions 1 to 3|KeyError: 'processor'"):
        Record.parse(json.dumps(json.loads(record().line()) | {"version": version}))


def test_deep_nesting_does_not_matter():
    with pytest.raises(KernelError):
        Record.parse("[" * 100_000)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.jsonl")), ids=lambda path: path.stem)
def test_the_logs_we_ship_are_sound(path):
    found, remarks = read(path)
    assert remarks == []
    for kept in found:
        made_for = device(kept.device)
        assert path == path_of(made_for, kept.machine.processor)
        assert kept.schedule_version == target_of(made_for).version or (kept.schedule_version, kept.provenance) == (
            FOREIGN,
            "imported",
        )
    for name in {kept.device for kept in found}:
        ours = {r.workload for r in found if r.device == name and r.seconds and r.schedule_version != FOREIGN}
        assert set(best(found, device(name))) == ours
