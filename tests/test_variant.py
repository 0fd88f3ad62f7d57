import dataclasses
import itertools
import json
import tomllib

import pytest
import torch

from conftest import FAMILY, ROOT
from zoo.errors import ZooError
from zoo.model.decoders import DECODERS
from zoo.model.encoders import ENCODERS
from zoo.model.network import FastDepth, count
from zoo.prune.cost import macs
from zoo.prune.widths import blocks, resized
from zoo.variant import FOLDER, catalogue, parse, variant

PUBLISHED = {"fastdepth": (736_658_944, 3_933_088), "fastdepth_pruned": (366_393_384, 1_343_664)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_work_and_size_are_the_published_ones(name):
    assert count(FastDepth(variant(name)).eval(), 224, 224) == PUBLISHED[name]


def test_the_widths_of_netadapt_are_those_its_search_ended_with():
    report = json.loads((ROOT / "docs" / "pruning.json").read_text())
    found = variant(report["from"])
    for step in report["iterations"]:
        found = resized(found, dict.fromkeys(step["group"], step["width"]))
    ours = variant("fastdepth_netadapt")
    assert blocks(ours) == blocks(found)
    assert macs(ours) == report["iterations"][-1]["cost"] == 363_968_864


def test_the_catalogue_is_in_order_and_its_names_are_its_files():
    names = [v.name for v in catalogue()]
    assert names == sorted(names)
    assert {"fastdepth", "fastdepth_pruned"} <= set(names)


def test_a_variant_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        variant("fastdepth").name = "other"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ZooError,
        match="unknown variant 'fastdeep'; known: fastdepth, fastdepth_lite, fastdepth_netadapt, fastdepth_pruned",
    ):
        variant("fastdeep")


def record(**changes):
    return {**dataclasses.asdict(variant("fastdepth_pruned")), "weights": None, "claims": [], **changes}


def test_a_record_survives_the_trip_through_plain_data():
    v = dataclasses.replace(variant("fastdepth_pruned"), weights=None, claims=())
    assert parse(record()) == v


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder_widths": [200, 248, 120, 56, 16]}, "an additive skip needs equal widths"),
        ({"colour": "red"}, "malformed"),
        ({"skips": [[99, 2]]}, "skips are pairs: encoder layer 0 to 13, decoder stage 1 to 5"),
        ({"encoder": "vgg16"}, "encoder 'vgg16' with decoder 'nnconv5' is not of the family"),
        (
            {"decoder": "shuffle"},
            "is not of the family; there are mobilenet, resnet18, resnet50, efficientnet_lite0 with nnconv5, nnconv5_dense",
        ),
        ({"encoder": "resnet18"}, "11 encoder_widths and 5 decoder_widths"),
        ({"encoder_widths": [16, 56]}, "14 encoder_widths and 5 decoder_widths"),
        ({"decoder_widths": [200, 256, 120, 56, 0]}, "whole numbers from 1 to 2048"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ZooError, match=message):
        parse(record(**changes))


@pytest.mark.parametrize(("skip", "skips"), [("none", [[5, 2]]), ("add", []), ("multiply", [[5, 2]])])
def test_a_skip_that_makes_no_sense_is_refused(skip, skips):
    record = tomllib.loads((FOLDER / "fastdepth.toml").read_text()) | {"skip": skip, "skips": skips}
    with pytest.raises(ZooError, match=f"skip '{skip}' with {len(skips)} skips"):
        parse(record)


def test_the_family_is_what_can_be_built():
    for encoder, decoder in itertools.product(ENCODERS, DECODERS):
        base = next(v for v in FAMILY.values() if v.encoder == encoder)
        made = dataclasses.replace(base, decoder=decoder, skip="none", skips=(), weights=None)
        narrow = resized(made, dict.fromkeys(blocks(made), 4))
        assert FastDepth(narrow).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 1, 32, 32)


def test_networks_for_studies_are_there_and_out_of_the_way(zoo):
    names = {v.name for v in catalogue(study=True)}
    assert "fastdepth_concat" in names
    assert not names & {v.name for v in catalogue()}
    assert "fastdepth_concat" not in zoo("list")[1]
    shown = zoo("list", "--all", COLUMNS="80")[1]
    for v in catalogue(study=True):  # each on one line of its own
        assert any(line.split()[:1] == [v.name] and line.rstrip().endswith(v.summary) for line in shown.splitlines())
