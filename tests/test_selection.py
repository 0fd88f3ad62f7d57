"""Which records a network is compiled with: the processor's own, the nearest one's, or the least slow on several."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.cli.compile import origins
from zoo.kernels.device import device, records
from zoo.kernels.ir.workload import Workload
from zoo.kernels.processor import Machine
from zoo.kernels.records import EQUAL, FOLDER, Record, append, best
from zoo.kernels.selection import (
    ANY,
    NEAR,
    OWN,
    PORTABLE,
    Choice,
    choices,
    choose,
    known,
    of_one,
    portable,
    processor_of,
)
from zoo.kernels.targets import target_of

V4, RPI4 = device("x86-64-v4"), device("rpi4")
W = Workload.parse("pointwise1s1-f32-c64-k64-14x14+relu")
OTHER = Workload.parse("depthwise3s1-f32-c16-14x14+relu")
SPACE = list(target_of(V4).space(W))[:40:4]


def record(processor, knobs, seconds, workload=W, **changes):
    fields = {"device": V4.name, "schedule_version": 1, "provenance": "measured", "tvm": "0", "date": "2026-01-01"}
    times = (seconds,) if seconds else ()
    machine = Machine(processor, "imagined")
    return Record(workload=workload, knobs=knobs, seconds=times, machine=machine, **fields | changes)


def test_own_records_come_first_then_the_nearest_then_the_portable_choice():
    own, near, farther, far = (
        record(name, SPACE[i], 4e-4 - i * 1e-4)
        for i, name in enumerate(("znver5", "emeraldrapids", "cascadelake", "znver4"))
    )
    everything = [far, farther, near, own]
    for left, expected, basis, processors in (
        (everything, own, OWN, ("znver5",)),
        (everything[:3], near, NEAR, ("emeraldrapids",)),
        (everything[:2], farther, NEAR, ("cascadelake",)),
        (everything[:1], far, PORTABLE, ("znver4",)),
    ):
        choice = choose(left, V4, "znver5")[W]
        assert (choice.record, choice.basis, choice.processors) == (expected, basis, processors)
    assert choose([], V4, "znver5") == {}


def test_every_workload_is_chosen_by_itself():
    own, other = record("znver5", SPACE[0], 1e-4), record("znver4", target_of(V4).default(OTHER), 1e-5, OTHER)
    found = choose([own, other], V4, "znver5")
    assert {w: (choice.record, choice.basis) for w, choice in found.items()} == {
        W: (own, OWN),
        OTHER: (other, PORTABLE),
    }


def test_what_failed_or_an_emulator_ran_or_another_schedule_made_is_no_choice():
    useless = [
        record("znver5", SPACE[0], None, error="boom"),
        record("znver5", SPACE[1], 1e-5, provenance="emulated"),
        record("znver5", SPACE[2], 1e-5, schedule_version=9),
        record("znver5", SPACE[3], 1e-5, device="x86-64-v3"),
        record("znver5", {"tile_w": 13}, 1e-5),
    ]
    assert choose(useless, V4, "znver5") == {}
    assert choose([*useless, kept := record("znver4", SPACE[4], 1e-3)], V4, "znver5")[W].record == kept


TIMES = st.dictionaries(
    st.sampled_from(("znver4", "sapphirerapids", "haswell", "what")),
    st.dictionaries(st.integers(0, len(SPACE) - 1), st.floats(1e-6, 1e-3), min_size=1),
    min_size=1,
)


def group(times):
    return [record(name, SPACE[i], t) for name, each in times.items() for i, t in each.items()]


def worst(times, i):
    """The slowdown of a setting where it is worst."""
    return max(each[i] / min(each.values()) for each in times.values() if i in each)


@given(TIMES)
def test_no_setting_that_as_many_processors_ran_is_better_where_it_is_worst(times):
    choice = portable(group(times), V4)
    counts = {i: sum(i in each for each in times.values()) for i in range(len(SPACE))}
    rivals = [i for i in counts if counts[i] == max(counts.values())]
    chosen = SPACE.index(choice.record.knobs)
    assert chosen in rivals
    assert worst(times, chosen) <= EQUAL * min(worst(times, i) for i in rivals) * (1 + 1e-9)
    assert choice.processors == tuple(sorted(name for name, each in times.items() if chosen in each))


@given(TIMES, st.sampled_from((0.125, 8.0)))
def test_the_portable_choice_does_not_ask_which_processor_is_the_faster_one(times, factor):
    slower = {
        name: {i: t * (factor if name == "znver4" else 1) for i, t in each.items()} for name, each in times.items()
    }
    assert portable(group(times), V4).record.knobs == portable(group(slower), V4).record.knobs


@given(TIMES)
def test_of_one_processor_the_portable_choice_is_its_fastest(times):
    name = next(iter(times))
    alone = group({name: times[name]})
    assert portable(alone, V4).record.time <= EQUAL * min(record.time for record in alone)


def test_of_a_setting_measured_twice_the_least_time_counts():
    twice = [record("znver4", SPACE[0], 9e-4), record("znver4", SPACE[0], 1e-4), record("znver4", SPACE[1], 2e-4)]
    assert portable(twice, V4).record == twice[1]
    assert portable([record("znver4", {"tile_w": 13}, 1e-4)], V4) is None


def test_times_are_compared_that_one_processor_took():
    two = [record("znver4", SPACE[i], 1e-4) for i in range(3)]
    two += [record("sapphirerapids", SPACE[0], 1e-4), record("haswell", SPACE[0], 1e-4)]
    assert of_one(two, V4, "haswell") == ("haswell", two[-1:])
    assert of_one(two, V4, "znver5") == ("sapphirerapids", two[3:4])
    assert of_one(two, V4, ANY) == ("znver4", two[:3])
    assert of_one([], V4, "znver5") == ("znver5", [])


def test_kernels_are_to_be_fast_on_the_board_or_here_or_anywhere():
    assert (processor_of(RPI4), processor_of(device("tx2"))) == ("cortex-a72", "sm_62")
    for made_for in records():
        if not made_for.board:
            assert (processor_of(made_for) != ANY) == made_for.runs_here


@pytest.mark.parametrize("name", ["mine", "cortex-a72"])
def test_logs_beside_a_record_are_read_whichever_name_they_have(tmp_path, name):
    (tmp_path / "mine.toml").write_text(
        (FOLDER.parent.parent / "devices" / "rpi4.toml").read_text().replace('name = "rpi4"', 'name = "mine"')
    )
    mine = device(str(tmp_path / "mine.toml"))
    kept = record("unknown", target_of(mine).default(W), 1e-3, device="mine")
    append(tmp_path / f"{name}.jsonl", [kept, record("znver4", SPACE[0], 1e-3)])
    (choice,) = choices(mine).values()
    assert (choice.basis, choice.record.machine.processor) == (OWN, "cortex-a72")
    append(tmp_path / f"{name}.jsonl", [record("cortex-a72", target_of(mine).default(W), 1e-4, device="mine")])
    assert len(known(mine)) == 2


def test_what_was_measured_on_zen_4_is_what_a_zen_4_gets():
    """The kernels it had before records said their processor."""
    ours = [r for r in known(V4) if r.machine.processor == "znver4"]
    found = choose(known(V4), V4, "znver4")
    assert {w: found[w].record for w in best(ours, V4)} == best(ours, V4)
    assert all(math.isfinite(choice.record.time) for choice in found.values())


def test_whose_settings_were_taken_is_said():
    def chosen(basis, *processors, **changes):
        return Choice(record(processors[0], SPACE[0], 1e-4, **changes), basis, processors)

    own, near, alone = chosen(OWN, "znver5"), chosen(NEAR, "sapphirerapids"), chosen(PORTABLE, "haswell")
    both = chosen(PORTABLE, "sapphirerapids", "znver4")
    assert origins([own, own], "znver5") == "2 kernels measured on znver5"
    assert origins([near, near, None], "znver5") == (
        "2 kernels measured on sapphirerapids, the nearest to znver5, on which none was; 1 kernel with default knobs"
    )
    assert origins([alone], "znver5") == "1 kernel measured on haswell, none on znver5"
    assert origins([both], ANY) == "1 kernel measured on sapphirerapids and znver4, the least slow on all of them"
    imported = chosen(OWN, "cortex-a57", provenance="imported")
    assert origins([imported], "cortex-a57") == "1 kernel with tilings that won on cortex-a57"


def test_the_command_takes_the_settings_of_a_processor_it_is_told(zoo):
    words = ("compile", "--device", "x86-64-v4", "--processor", "emeraldrapids", "--json", "-o", "made")
    code, out, err = zoo(*words)
    assert code == 0, err
    row = json.loads(out)
    assert (row["processor"], row["measured_on"], set(row["settings"])) == (
        "emeraldrapids",
        ["sapphirerapids"],
        {"near"},
    )
    assert sum(row["settings"].values()) == sum(row["knobs"].values()) > row["layers"]
