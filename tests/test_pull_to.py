"""Weights pulled into a folder, as a library call: nothing of the user's is written over."""

import pytest

from zoo.errors import ZooError
from zoo.variant import variant
from zoo.weights import hub


def test_what_is_there_already_stays(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ZooError, match=r"README\.md: exists"):
        hub.pull(variant("fastdepth_pruned"), tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    for overwrite in (True, False):  # the second time everything is the same
        assert hub.pull(variant("fastdepth_pruned"), tmp_path, progress=False, overwrite=overwrite).is_file()
