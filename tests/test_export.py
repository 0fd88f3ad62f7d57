import numpy as np
import pytest
import torch

from zoo.errors import ZooError
from zoo.export import FORMATS, export


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("sides", [(224, 224), (96, 160)])
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_computes_the_same(pruned, tmp_path, form, sides):
    path = tmp_path / f"network{FORMATS[form]}"
    assert export(pruned, form, path, *sides) <= 1e-4
    image = np.random.default_rng(1).random((1, 3, *sides), np.float32)
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert [i.name for i in session.get_inputs()] == ["image"]
        found = session.run(["depth"], {"image": image})[0]
    else:
        module = torch.export.load(path).module() if form == "pt2" else torch.jit.load(str(path))
        found = module(torch.from_numpy(image)).detach().numpy()
    with torch.no_grad():
        assert np.abs(found - pruned(torch.from_numpy(image)).numpy()).max() < 1e-4


def test_what_differs_is_not_written(pruned, tmp_path, monkeypatch):
    import zoo.export as module

    monkeypatch.setattr(module, "_torchscript", lambda network, image, path: path.touch() or network(image) + 1)
    with pytest.raises(ZooError, match="differs from eager by 1"):
        export(pruned, "torchscript", tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()
