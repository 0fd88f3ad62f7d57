"""Rewrites are theorems: whatever the plan, where the condition holds the depth stays, and where it fails so does the plan."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.kernels.ir.plan import Plan, Step
from zoo.kernels.ir.reference import interpret
from zoo.kernels.ir.rewrite import (
    depthwise_before_concat,
    double_on_read,
    fold_norm,
    halve_last_block,
    pointwise_before_double,
)
from zoo.kernels.ir.workload import Workload

activations = st.sampled_from([(), ("relu",), ("relu6",)])
side = st.integers(1, 6)


def parameters(rng, name, cout, cin, kernel_size, normalised):
    weight = rng.normal(size=(cout, cin, kernel_size, kernel_size))
    made = {"weight": weight, "bias": rng.normal(size=cout)}
    if normalised:
        made = {"weight": weight, "gamma": rng.normal(size=cout), "beta": rng.normal(size=cout)}
        made |= {"mean": rng.normal(size=cout), "variance": rng.uniform(0.05, 3, cout)}
    return {f"{name}.{key}": value.astype(np.float32) for key, value in made.items()}


def chain(seed, sides, channels, kernel_size, first, second, *, normalised=False):
    """An image, a step `a`, and a step `b` that reads a's result."""
    rng = np.random.default_rng(seed)
    height, width = sides
    one = Workload("stem", 3, 1, 3, channels, height, width, first)
    two = Workload(
        "pointwise" if kernel_size == 1 else "conv", kernel_size, 1, channels, channels, *one.out_sides, second
    )
    steps = (Step("a", one, "image", None, normalised), Step("b", two, "a", None, normalised))
    made = parameters(rng, "a", channels, 3, 3, normalised) | parameters(
        rng, "b", channels, channels, kernel_size, normalised
    )
    return Plan(steps, made), rng.random((3, height, width), np.float32)


@settings(deadline=None)
@given(st.integers(0, 999), st.tuples(side, side), st.integers(2, 9), st.sampled_from([1, 3]), activations, activations)
def test_normalisation_folds_into_the_convolution(seed, sides, channels, kernel_size, first, second):
    plan, image = chain(seed, sides, channels, kernel_size, first, second, normalised=True)
    folded = fold_norm(plan)
    assert not any(step.normalised for step in folded.steps)
    assert {key.split(".")[1] for key in folded.parameters} == {"weight", "bias"}
    before, after = interpret(plan, image), interpret(folded, image)
    scale = 1 + np.abs(before["b"]).max()
    assert np.abs(after["b"] - before["b"]).max() < 1e-4 * scale


@settings(deadline=None)
@given(st.integers(0, 999), st.tuples(side, side), st.integers(2, 9), activations, activations)
def test_a_pointwise_layer_moves_before_the_doubling_and_nothing_changes(seed, sides, channels, first, second):
    plan, image = chain(seed, sides, channels, 1, (*first, "double"), second)
    moved = pointwise_before_double(plan)
    assert [step.workload.epilogue for step in moved.steps] == [first, (*second, "double")]
    assert moved.macs == plan.steps[0].workload.macs + plan.steps[1].workload.macs // 4
    assert np.array_equal(interpret(moved, image)["b"], interpret(plan, image)["b"])


def test_it_stays_where_the_layer_sees_neighbours():
    plan, _ = chain(0, (4, 4), 4, 3, ("relu", "double"), ())
    assert pointwise_before_double(plan) == plan


def test_it_stays_where_something_is_added_after_the_doubling():
    plan, _ = chain(0, (4, 4), 4, 1, ("relu", "double", "add"), ())
    assert pointwise_before_double(plan) == plan


def test_it_stays_where_the_doubled_tensor_has_other_readers():
    plan, _ = chain(0, (4, 4), 4, 1, ("double",), ())
    a, b = plan.steps
    last = Step("c", Workload("pointwise", 1, 1, 4, 4, 8, 8, ("add",)), "b", "a")
    shared = Plan((a, b, last), plan.parameters)
    assert pointwise_before_double(shared) == shared


def decoder(seed, sides, channels, kernel_size, tail):
    """A pointwise step `a` that doubles (and adds `s`), read by a depthwise step `b`."""
    rng = np.random.default_rng(seed)
    height, width = sides
    stem = Workload("stem", 1, 1, 3, channels, height, width)
    wide = Workload("stem", 1, 1, 3, channels, height, width, ("double",))
    one = Workload("pointwise", 1, 1, channels, channels, height, width, ("relu", *tail))
    two = Workload("depthwise", kernel_size, 1, channels, channels, 2 * height, 2 * width, ("relu",))
    added = "s" if "add" in tail else None
    steps = (Step("s", wide, "image"), Step("x", stem, "image"), Step("a", one, "x", added), Step("b", two, "a"))
    made = parameters(rng, "s", channels, 3, 1, False) | parameters(rng, "x", channels, 3, 1, False)
    made |= parameters(rng, "a", channels, channels, 1, False) | parameters(rng, "b", channels, 1, kernel_size, False)
    return Plan(steps, made), rng.random((3, height, width), np.float32)


@settings(deadline=None)
@given(
    st.integers(0, 999),
    st.tuples(side, side),
    st.integers(2, 9),
    st.sampled_from([3, 5]),
    st.sampled_from([("double",), ("double", "add")]),
)
def test_doubling_waits_for_the_depthwise_reader_and_nothing_changes(seed, sides, channels, kernel_size, tail):
    plan, image = decoder(seed, sides, channels, kernel_size, tail)
    waiting = double_on_read(plan)
    assert waiting.steps[2].workload.epilogue == ("relu",)
    assert waiting.steps[3].workload.prologue == tail
    assert (waiting.steps[2].skip, waiting.steps[3].skip) == (None, plan.steps[2].skip)
    assert np.array_equal(interpret(waiting, image)["b"], interpret(plan, image)["b"])


def test_doubling_does_not_wait_for_two_readers_or_a_dense_one():
    plan, _ = decoder(0, (3, 3), 4, 3, ("double",))
    again = Step("c", plan.steps[3].workload, "a")
    assert double_on_read(Plan((*plan.steps, again), plan.parameters)).steps[2] == plan.steps[2]
    dense, _ = chain(0, (4, 4), 4, 3, ("relu", "double"), ())
    assert double_on_read(dense) == dense


def concatenated(seed, sides, channels, tail):
    """A depthwise step `c` over a step `a` that doubles and the stem `s` beside it, and a pointwise step that reads it."""
    rng = np.random.default_rng(seed)
    (height, width), (first, second) = sides, channels
    wide = Workload("stem", 1, 1, 3, second, 2 * height, 2 * width, ("relu",))
    small = Workload("stem", 3, 2, 3, first, 2 * height, 2 * width, (*tail, "double"))
    depthwise = Workload("depthwise", 5, 1, first + second, first + second, 2 * height, 2 * width, ("relu",))
    last = Workload("pointwise", 1, 1, first + second, 3, 2 * height, 2 * width)
    steps = (Step("s", wide, "image"), Step("a", small, "image"), Step("c", depthwise, "a+s"), Step("d", last, "c"))
    made = parameters(rng, "s", second, 3, 1, False) | parameters(rng, "a", first, 3, 3, False)
    made |= parameters(rng, "c", first + second, 1, 5, False) | parameters(rng, "d", 3, first + second, 1, False)
    return Plan(steps, made, concat={"a+s": ("a", "s")}), rng.random((3, 2 * height, 2 * width), np.float32)


@settings(deadline=None)
@given(st.integers(0, 999), st.tuples(side, side), st.tuples(st.integers(2, 9), st.integers(2, 9)), activations)
def test_a_depthwise_layer_may_run_before_its_inputs_are_joined(seed, sides, channels, tail):
    plan, image = concatenated(seed, sides, channels, tail)
    split = depthwise_before_concat(plan)
    assert split.concat == {"c": ("c.0", "c.1")}
    assert [(step.name, step.source) for step in split.steps[2:]] == [("c.0", "a"), ("c.1", "s"), ("d", "c")]
    assert split.macs == plan.macs
    assert np.array_equal(interpret(split, image)["d"], interpret(plan, image)["d"])
    waiting = double_on_read(split)  # now that every part has a reader of its own
    assert waiting.steps[2].workload.prologue == ("double",)
    assert np.array_equal(interpret(waiting, image)["d"], interpret(plan, image)["d"])


def test_it_runs_after_a_join_that_others_read_too_or_that_it_does_not_read_alone():
    plan, _ = concatenated(0, (2, 3), (4, 5), ())
    again = Plan((*plan.steps, Step("e", plan.steps[2].workload, "a+s")), plan.parameters, concat=plan.concat)
    assert depthwise_before_concat(again) == again
    dense = Plan((*plan.steps[:2], Step("d", plan.steps[3].workload, "a+s")), plan.parameters, concat=plan.concat)
    assert depthwise_before_concat(dense) == dense
    again = Plan((*plan.steps[:3], Step("d", plan.steps[3].workload, "c+s")), plan.parameters, concat=plan.concat)
    nested = replace(again, concat={**plan.concat, "c+s": ("c", "s")})
    assert depthwise_before_concat(nested) == nested


@settings(deadline=None)
@given(
    st.integers(0, 999),
    st.tuples(side, side),
    st.integers(2, 24),
    st.sampled_from([3, 5]),
    st.sampled_from([("double",), ("double", "add")]),
    st.sampled_from([4, 8, 16]),
)
def test_half_a_block_of_channels_may_be_a_layer_of_its_own_and_nothing_changes(
    seed, sides, channels, kernel_size, tail, lanes
):
    plan, image = decoder(seed, sides, channels, kernel_size, tail)
    waiting = double_on_read(plan)
    halved = halve_last_block(waiting, lanes)
    splits = channels > lanes and 0 < channels % lanes <= lanes // 2
    assert len(halved.steps) == len(plan.steps) * (1 + splits)
    assert all(step.workload.cout % lanes == 0 or step.workload.cout < lanes for step in halved.steps) or not splits
    assert halved.macs == waiting.macs
    assert halved.shapes().items() >= waiting.shapes().items()
    assert np.array_equal(interpret(halved, image)["b"], interpret(waiting, image)["b"])


def test_a_layer_stays_whole_where_what_goes_into_its_channels_one_to_one_comes_otherwise():
    plan, _ = decoder(0, (3, 3), 24, 3, ("double", "add"))
    foreign = Plan(plan.steps, plan.parameters, concat={"p": ("s", "x")})
    assert [step.name for step in halve_last_block(foreign, 16).steps] == ["s", "x", "a", "b"]
    assert halve_last_block(plan, 1) == plan
