"""Networks, transforms and predictors in other processes, loaded as a package and by torch.hub."""

import copy
import io
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from test_hub import python

import zoo
from conftest import FAMILY, ROOT
from zoo.model.network import FastDepth
from zoo.prune.widths import blocks, resized


def narrow(name):
    v = FAMILY[name]
    return resized(v, dict.fromkeys(blocks(v), 4))


def saved(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("again", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, saved], ids=range(3))
@pytest.mark.parametrize("name", ["fastdepth", "mobilenet_deconv5", "resnet18_nnconv5", "mobilenet_upproj", "lite"])
def test_a_network_comes_back_as_it_was(name, again):
    network, image = FastDepth(narrow(name)).eval(), torch.rand(1, 3, 32, 64)
    made = again(network)
    assert type(made) is zoo.FastDepth
    assert made.variant == network.variant
    assert not made.training
    with torch.inference_mode():
        assert torch.equal(made(image), network(image))
    part = again(network.encoder)
    assert type(part) is type(network.encoder)


def test_predictors_and_transforms_come_back_too(pruned):
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for thing in (zoo.Predictor(pruned, channels="bgr"), zoo.Transform(crop=False)):
        assert np.array_equal(pickle.loads(pickle.dumps(thing))(picture), thing(picture))
        assert np.array_equal(copy.deepcopy(thing)(picture), thing(picture))


PACKAGE = "import zoo; network = zoo.load(pretrained=False); transform = zoo.Transform()"
HUB = f"""
    load = lambda name, **given: torch.hub.load({str(ROOT)!r}, name, source="local", verbose=False, **given)
    network, transform = load("fastdepth_pruned", pretrained=False), load("transforms")
    assert type(network).__module__.startswith("_fastdepth_zoo_")
"""


@pytest.mark.parametrize("loading", [PACKAGE, HUB], ids=["package", "hub"])
def test_workers_that_are_spawned_take_them(loading, tmp_path):
    """As macOS and Windows start every worker; and a file that a process of its own reads."""
    for name in ("zoo", "kernels") if loading == HUB else ():  # strangers, which the workers import as well
        (tmp_path / f"{name}.py").write_text(f"stranger = {name!r}\n")
    (tmp_path / "main.py").write_text(
        textwrap.dedent(
            """
            import copy, numpy, torch

            class Pictures(torch.utils.data.Dataset):
                def __init__(self, transform, network):
                    self.transform, self.network = transform, network
                def __len__(self):
                    return 1
                def __getitem__(self, i):
                    x = self.transform(numpy.full((480, 640, 3), 99, numpy.uint8))
                    with torch.inference_mode():
                        return self.network(x)[0].clone()

            if __name__ == "__main__":
            LOADING
                data = Pictures(transform, network)
                [there] = torch.utils.data.DataLoader(data, num_workers=1, multiprocessing_context="spawn")
                assert torch.allclose(there[0], data[0], atol=1e-5)
                assert torch.equal(copy.deepcopy(network).head.conv.weight, network.head.conv.weight)
                torch.save({"encoder": network.encoder, "network": network, "variant": network.variant}, "saved.pt")
                torch.save(data[0], "depth.pt")
            """
        ).replace("LOADING", textwrap.indent(textwrap.dedent(loading), "    "))
    )
    subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=True)
    python(
        """
        import numpy, torch
        found = torch.load("saved.pt", weights_only=False)
        import sys
        transform = getattr(sys.modules[type(found["network"]).__module__.split(".")[0]], "Transform")()
        with torch.inference_mode():
            depth = found["network"](transform(numpy.full((480, 640, 3), 99, numpy.uint8)))[0]
        assert torch.allclose(depth, torch.load("depth.pt"), atol=1e-5)
        assert found["variant"] == found["network"].variant and len(found["encoder"]) == 14
        """,
        tmp_path,
    )
