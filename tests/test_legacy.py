"""PyTorch files of any age: what people have is read, what a pickle would run is not."""

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from attacks import Calls
from conftest import seeded
from zoo import importers as convert
from zoo.errors import ZooError
from zoo.importers import legacy
from zoo.prune.surgery import cut, strongest
from zoo.prune.widths import resized


def conv(old, new=None):
    return [old.conv, old.norm, nn.ReLU6(inplace=True)]


@pytest.fixture
def authors(pruned, monkeypatch):
    """The pruned network as the authors' classes held it, in modules called models and metrics."""
    models, measures = types.ModuleType("models"), types.ModuleType("metrics")

    class MobileNetSkipAdd(nn.Module):
        pass

    class Result:
        def __init__(self):
            self.rmse, self.delta1 = 0.6, 0.77

    for module, kind in ((models, MobileNetSkipAdd), (measures, Result)):
        kind.__module__, kind.__qualname__ = module.__name__, kind.__name__
        setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    made = MobileNetSkipAdd()
    made.conv0 = nn.Sequential(*conv(pruned.encoder[0]))
    for i in range(1, 14):
        setattr(made, f"conv{i}", nn.Sequential(*conv(pruned.encoder[i].depthwise), *conv(pruned.encoder[i].pointwise)))
    for j in range(1, 6):
        parts = (nn.Sequential(*conv(getattr(pruned.decoder[str(j)], part))) for part in ("depthwise", "pointwise"))
        setattr(made, f"decode_conv{j}", nn.Sequential(*parts))
    made.decode_conv6 = nn.Sequential(*conv(pruned.head))
    return made, Result()


def same(network, pruned):
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        return torch.equal(network(image), pruned(image))


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source")
@pytest.mark.parametrize("old", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("what", ["checkpoint", "module", "state", "prefixed"])
def test_what_people_have_is_read(authors, pruned, tmp_path, old, what):
    model, result = authors
    value = {
        "checkpoint": {"epoch": 3, "best_result": result, "model": model},
        "module": model,
        "state": model.state_dict(),
        "prefixed": {"epoch": 3, "state_dict": OrderedDict((f"module.{k}", v) for k, v in model.state_dict().items())},
    }[what]
    path = tmp_path / "mobilenet-nnconv5dw-skipadd-pruned.pth.tar"
    torch.save(value, path, _use_new_zipfile_serialization=not old)
    network = convert.import_file(path)
    assert network.variant.name == "fastdepth_pruned"
    assert same(network, pruned)


def test_a_state_dict_of_ours_and_safetensors_are_read(authors, pruned, tmp_path):
    torch.save(pruned.state_dict(), tmp_path / "ours.pth")
    assert same(convert.import_file(tmp_path / "ours.pth"), pruned)
    save_file({k: v.contiguous() for k, v in authors[0].state_dict().items()}, tmp_path / "theirs.safetensors")
    assert same(convert.import_file(tmp_path / "theirs.safetensors"), pruned)


def test_widths_nobody_knows_make_a_variant_of_their_own(pruned, tmp_path, zoo):
    smaller = resized(pruned.variant, {"encoder.0": 8, "decoder.5": 8})
    made = cut(pruned, strongest(pruned, smaller), smaller)
    torch.save(made.state_dict(), tmp_path / "My net-1.pth")
    code, out, err = zoo("import", tmp_path / "My net-1.pth", "-o", tmp_path / "out")
    assert code == 0, err
    assert "my_net_1" in out
    code, _, err = zoo("verify", tmp_path / "out")
    assert code == 0, err


def test_the_wrong_variant_or_network_is_named(pruned, tmp_path):
    torch.save(pruned.state_dict(), tmp_path / "ours.pth")
    with pytest.raises(ZooError, match=r"encoder\.0\.conv\.weight has shape \(16, 3, 3, 3\), variant fastdepth needs"):
        convert.import_file(tmp_path / "ours.pth", "fastdepth")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(ZooError, match="it lacks 38 of 38 layers"):
        convert.import_file(tmp_path / "linear.pth")
    spoilt = pruned.state_dict() | {"head.conv.weight": torch.full((1, 16, 1, 1), float("nan"))}
    torch.save(spoilt, tmp_path / "nan.pth")
    with pytest.raises(ZooError, match=r"head\.conv\.weight holds values that are not finite"):
        convert.import_file(tmp_path / "nan.pth")


def test_a_file_that_lies_about_its_storages_is_refused(tmp_path):
    def tensor(size, stride, offset=0, count=4):
        class Persistent(pickle.Pickler):
            def persistent_id(self, value):
                return ("storage", torch.FloatStorage, "0", "cpu", count) if value == "here" else None

        rebuild = torch._utils._rebuild_tensor_v2
        buffer = io.BytesIO()
        Persistent(buffer, 2).dump({"a": Calls(rebuild, "here", offset, size, stride, False, OrderedDict())})
        path = tmp_path / "lies.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/data.pkl", buffer.getvalue())
            archive.writestr("x/data/0", b"\0" * 16)
        return path

    assert legacy.read(tensor((2, 2), (2, 1)))["a"].shape == (2, 2)
    for lie in (
        {"size": (3, 2), "stride": (2, 1)},
        {"size": (2, 2), "stride": (2, 1), "offset": 1},
        {"size": (2, 2), "stride": (-1, 1)},
        {"size": (2**40,), "stride": (0,)},
        {"size": (2, 2), "stride": (2, 1), "count": 2**40},
        {"size": (2, 2), "stride": (2, 1), "count": 8},
    ):
        with pytest.raises(ZooError, match="damaged, or not a torch checkpoint"):
            legacy.read(tensor(**lie))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_never_worse(tmp_path_factory, data):
    buffer = io.BytesIO()
    small = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.arange(3))
    torch.save(small, buffer, _use_new_zipfile_serialization=data.draw(st.booleans()))
    content = bytearray(buffer.getvalue())
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    for _ in range(data.draw(st.integers(0, 6)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "x.pth"
    path.write_bytes(bytes(content))
    try:
        found = legacy.read(path)
    except ZooError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert sum(t.numel() for t in found.values()) <= 9


def test_the_fixture_is_the_same_network(pruned):
    assert same(seeded("fastdepth_pruned"), pruned)


WRAPPED = {
    "compiled": "_orig_mod.{}",
    "parallel, compiled": "_orig_mod.module.{}",
    "lightning": "model.{}",
    "lightning, compiled, parallel": "model._orig_mod.module.{}",
    "net": "net.{}",
    "loop": "model.net.module.{}",
}


@pytest.mark.parametrize("wrapper", WRAPPED)
@pytest.mark.parametrize("nested", [False, True])
def test_what_wraps_a_network_is_taken_off(pruned, tmp_path, wrapper, nested):
    state = {WRAPPED[wrapper].format(key): tensor for key, tensor in pruned.state_dict().items()}
    whole = {"epoch": 3, "state_dict": state, "pytorch-lightning_version": "2.5"} if nested else state
    torch.save(whole, tmp_path / "a.ckpt")
    assert same(convert.import_file(tmp_path / "a.ckpt"), pruned)


def test_one_block_that_was_compiled_alone_is_read(pruned, tmp_path):
    state = {key.replace("encoder.", "encoder._orig_mod.").replace("head.", "head.module."): tensor
             for key, tensor in pruned.state_dict().items()}  # fmt: skip
    torch.save(state, tmp_path / "a.pth")
    assert same(convert.import_file(tmp_path / "a.pth"), pruned)


def test_two_networks_in_one_file_are_not_mixed(pruned, tmp_path):
    state = pruned.state_dict()
    both = {f"model.{key}": tensor for key, tensor in state.items()}
    torch.save(both | {f"net.{key}": tensor + 1 for key, tensor in state.items()}, tmp_path / "a.pth")
    with pytest.raises(ZooError, match="holds two networks"):
        convert.import_file(tmp_path / "a.pth")
