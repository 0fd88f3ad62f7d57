import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import DATA, FAMILY
from zoo.cli.costs import split
from zoo.errors import ZooError
from zoo.kernels.device import device
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.trace import trace
from zoo.kernels.processor import Machine
from zoo.kernels.records import per_convolution
from zoo.kernels.selection import known
from zoo.kernels.tuning.autotvm import parse, translated
from zoo.model.network import FastDepth, count
from zoo.model.walk import Shape
from zoo.prune.cost import KINDS, Latency, layers, macs, params
from zoo.prune.proposals import proposals, uniform
from zoo.prune.widths import blocks, groups, resized
from zoo.variant import variant

TX2 = Machine("cortex-a57", "a TX2")
FULL, PRUNED = variant("fastdepth"), variant("fastdepth_pruned")


def table(records):
    return {
        Shape(w.kind, w.kernel_size, w.stride, w.cin, w.cout, w.height, w.width): seconds
        for w, seconds in per_convolution(records).items()
        if w.kind in KINDS
    }


@st.composite
def members(draw):
    base, widths = FAMILY[draw(st.sampled_from(list(FAMILY)))], {}
    for group in groups(base):
        widths |= dict.fromkeys(group, draw(st.integers(1, 9)))
    return resized(base, widths, input=(32, 64))


def test_a_layer_without_a_kernel_has_no_latency():
    latency = Latency({layer: truth(layer) for layer in layers(PRUNED)})
    with pytest.raises(ZooError, match="no kernel for a layer of kind depthwise_transposed"):
        latency(variant("mobilenet_deconv5"))


@settings(max_examples=20, deadline=None)
@given(members())
def test_macs_and_weights_are_those_of_the_network(member):
    assert (macs(member), params(member)) == count(FastDepth(member).eval(), *member.input)


def test_layers_are_the_convolutions_that_kernels_are_made_for(pruned):
    plan = trace(pruned, 224, 224)
    traced = [step.workload.bare for step in plan.steps]
    shapes = [Shape(w.kind, w.kernel_size, w.stride, w.cin, w.cout, w.height, w.width) for w in traced]
    assert shapes == list(layers(PRUNED))


def truth(layer):
    """Seconds of an invented machine: a start, arithmetic, and bytes."""
    moved = (
        layer.in_channels * layer.height * layer.width
        + layer.out_channels * layer.height * layer.width / layer.stride**2
    )
    return 2e-6 + layer.macs / 4e10 + 4 * moved / 1e10


def test_a_latency_is_the_sum_of_what_was_measured():
    measured = {layer: truth(layer) for layer in layers(PRUNED)}
    assert Latency(measured)(PRUNED) == pytest.approx(sum(truth(layer) for layer in layers(PRUNED)))


def test_what_was_not_measured_is_estimated_closely():
    latency = Latency({layer: truth(layer) for v in (FULL, PRUNED) for layer in layers(v)})
    between = uniform(FULL, macs, 0.7 * macs(FULL), 8)
    off = [abs(latency.seconds(layer) / truth(layer) - 1) for layer in layers(between)]
    assert np.median(off) < 0.05
    assert latency(between) == pytest.approx(sum(map(truth, layers(between))), rel=0.03)


def test_left_out_errors_are_what_leaving_out_gives():
    measured = {layer: truth(layer) for layer in layers(PRUNED)}
    latency = Latency(measured)
    fields = latency._fields["pointwise"]
    one = next(layer for layer in measured if layer.kind == "pointwise")
    others = Latency({layer: seconds for layer, seconds in measured.items() if layer != one})
    if (others._fields["pointwise"].length, others._fields["pointwise"].spread) == (fields.length, fields.spread):
        assert abs(np.expm1(fields.left_out[0])) == pytest.approx(
            abs(measured[one] / others.seconds(one) - 1), rel=0.2, abs=1e-3
        )


def test_too_few_measurements_are_refused():
    with pytest.raises(ZooError, match="only 0 measured depthwise layers"):
        Latency({})


@pytest.mark.parametrize(("board", "published"), [("cpu", 27.1e-3), ("gpu", 4.94e-3)])
def test_the_authors_logs_add_up_to_the_published_sums(board, published):
    folder = DATA / "tx2_tuning"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing: the authors' tuning logs")
    lines = [line for path in sorted(folder.glob(f"tx2-{board}*.log")) for line in path.read_text().splitlines()]
    latency = Latency(table([parse(line, "tx2-cpu", TX2) for line in lines]))
    assert latency(PRUNED) == pytest.approx(published, rel=0.03)
    assert np.median(latency.errors()) < 0.10


def test_the_bundled_tx2_logs_add_up_too():
    for board, published in (("tx2-cpu", 27.1e-3), ("tx2", 4.94e-3)):
        records = known(device(board))
        assert {record.provenance for record in records} == {"imported"}
        assert Latency(table(records))(PRUNED) == pytest.approx(published, rel=0.03)


CPU_LINE = """{"v": 0.1, "i": ["llvm -device=arm_cpu", "topi_nn_conv2d", [["TENSOR", [1, 56, 28, 28], "float32"],
["TENSOR", [16, 56, 1, 1], "float32"], [1, 1], [0, 0], "NCHW", "float32"], {}, ["conv2d", [1, 56, 28, 28, "float32"],
[16, 56, 1, 1, "float32"], [1, 1], [0, 0], "NCHW", "float32"], {"t": "direct", "c": null, "e": [["tile_co", "sp", [2, 8]],
["tile_oh", "sp", [28, 1]], ["tile_ow", "sp", [4, 7]], ["reorder_0", "re", [0, 1]], ["ann_reduce", "an", ["none", "unroll"]],
["ann_spatial", "an", ["unroll", "unroll", "vec"]]], "i": 1}], "r": [[0.001, 0.003, 0.002], 0, 1.0, 1548190186.0]}"""


def test_a_tiling_is_translated_where_ours_has_it_too():
    record = parse(CPU_LINE, "tx2-cpu", TX2)
    assert (str(record.workload), record.time, record.date) == ("pointwise1s1-f32-c56-k16-28x28", 0.002, "2019-01-22")
    knobs = translated(record, device("tx2-cpu")).knobs
    assert (knobs["tile_h"], knobs["tile_w"], knobs["tile_oc"], knobs["task_h"]) == (1, 7, 2, 28)
    assert translated(parse(CPU_LINE.replace("[2, 8]", "[8, 2]"), "tx2-cpu", TX2), device("tx2-cpu")) is None
    assert (
        translated(parse(CPU_LINE.replace('"unroll", "vec"', '"vec", "unroll"'), "x", TX2), device("tx2-cpu")) is None
    )
    assert translated(record, device("tx2")) is None  # knobs of a processor
    failed = parse(CPU_LINE.replace("0.002], 0,", "0.002], 4,"), "tx2-cpu", TX2)
    assert (failed.seconds, failed.error) == ((), "AutoTVM error 4")


@pytest.mark.parametrize(
    "line",
    ["", "{}", "[]", '{"v": 0.1, "i": [], "r": []}', '{"v": 0.2, "i": 3, "r": [[1], 0, 1, 1]}', "\x00", "9" * 5000],
)
def test_other_lines_are_no_records(line):
    with pytest.raises(KernelError, match="not an AutoTVM"):
        parse(line, "tx2-cpu", TX2)


def test_proposals_meet_the_target_and_no_wider_one_would():
    target = 0.98 * macs(FULL)
    found = proposals(FULL, macs, target, 8)
    assert len(found) == 16
    for offer in found:
        assert offer.width % 8 == 0
        assert offer.cost == macs(offer.variant) <= target
        if offer.width + 8 < offer.before:
            assert macs(resized(FULL, dict.fromkeys(offer.group, offer.width + 8))) > target
        changed = {b for b, width in blocks(offer.variant).items() if width != blocks(FULL)[b]}
        assert changed == set(offer.group)


def test_a_block_that_cannot_get_there_makes_no_proposal():
    assert len(proposals(FULL, macs, 0.8 * macs(FULL), 8)) < 16
    assert not proposals(FULL, macs, 1, 8)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 0.99), st.sampled_from([1, 8, 16]))
def test_uniform_widths_meet_the_target(share, multiple):
    made = uniform(FULL, macs, share * macs(FULL), multiple)
    assert macs(made) <= share * macs(FULL)
    assert all(width % multiple == 0 for width in blocks(made).values())


def parts(layer, lanes):
    return tuple(split(lanes)(layer))


def test_half_a_block_of_channels_costs_what_it_costs_by_itself():
    one = Shape("pointwise", 1, 1, 16, 56, 112, 112)
    assert parts(one, 1) == parts(one, 8) == (one,)
    assert parts(one, 16) == (one._replace(out_channels=48), one._replace(out_channels=8))
    deep = Shape("depthwise", 3, 1, 24, 24, 14, 14)
    assert parts(deep, 16) == (
        deep._replace(in_channels=16, out_channels=16),
        deep._replace(in_channels=8, out_channels=8),
    )
    found = {part: truth(part) for layer in layers(PRUNED) for part in parts(layer, 16)}
    assert Latency(found, split(16))(PRUNED) == pytest.approx(
        sum(found[p] for x in layers(PRUNED) for p in parts(x, 16))
    )
