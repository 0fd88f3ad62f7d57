"""What we export, we import; and an archive of torch.export is read by its table alone, whatever it says."""

import json
import zipfile

import pytest
import torch

from zoo.errors import ZooError
from zoo.exporters import FORMATS, export
from zoo.importers import import_file, legacy
from zoo.importers.exported import TABLE

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")


@pytest.fixture(scope="module")
def written(pruned, tmp_path_factory):
    """Paths of the network in the two formats that torch itself loads by running them."""
    folder = tmp_path_factory.mktemp("written")
    paths = {form: folder / f"a{FORMATS[form]}" for form in ("pt2", "torchscript")}
    for form, path in paths.items():
        export(pruned, form, path, 32, 32)
    return paths


@pytest.mark.parametrize("form", ["pt2", "torchscript"])
def test_what_is_exported_is_imported(written, pruned, form, monkeypatch):
    for name in ("torch.load", "torch.jit.load", "torch.export.load"):
        monkeypatch.setattr(name, None)  # nothing in the file is run
    found = import_file(written[form])
    assert found.variant == pruned.variant
    for (key, mine), theirs in zip(pruned.state_dict().items(), found.state_dict().values(), strict=True):
        assert key.endswith("num_batches_tracked") or torch.equal(mine, theirs), key


def changed(path, to, change):
    """A copy of an archive whose table of weights `change` has altered, or whose entry is gone where it gives None."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(TABLE):
                table = json.loads(content)
                if change(table["config"]) is None:
                    continue
                content = json.dumps(table).encode()
            new.writestr(name, content)
    return to


KEY = "encoder.0.conv.weight"
LIES = {
    "pickled": lambda t: t[KEY].update(use_pickle=True) or t,
    "dtype": lambda t: t[KEY]["tensor_meta"].update(dtype=99) or t,
    "larger": lambda t: t[KEY]["tensor_meta"].update(sizes=[{"as_int": 10**9}] * 4) or t,
    "negative": lambda t: t[KEY]["tensor_meta"].update(storage_offset={"as_int": -4}) or t,
    "symbolic": lambda t: t[KEY]["tensor_meta"].update(sizes=[{"as_expr": "s0"}] * 4) or t,
    "elsewhere": lambda t: t[KEY].update(path_name="../../../../etc/passwd") or t,
    "no dict": lambda t: t.update({KEY: 7}) or t,
    "no such layer": lambda t: t.pop(KEY) and t,
    "no table": lambda t: None,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_table_that_lies_is_refused(written, tmp_path, lie):
    with pytest.raises(ZooError, match=r"a\.pt2: ") as refusal:
        import_file(changed(written["pt2"], tmp_path / "a.pt2", LIES[lie]))
    assert "\n" not in str(refusal.value)


def test_an_archive_of_before_the_table_says_what_to_import_instead(tmp_path):
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", b"")
    with pytest.raises(ZooError, match="import the weights it was made of"):
        legacy.read(tmp_path / "old.pt2")
