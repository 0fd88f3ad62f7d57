"""A file that is being written, by one or by several, is for every reader the old one or the new one."""

import errno
import subprocess
import sys

import pyarrow.parquet
import pytest

from zoo.errors import ZooError
from zoo.files import replacing, write_atomic
from zoo.inference.batch import Index

SIZES = {"file": 4 << 20, "index": 12_000}  # bytes, rows
WRITER = """
import sys
from pathlib import Path
from zoo.inference.batch import Index
from zoo.files import write_atomic
path, what, letter, size, stop = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5])
while not stop.exists():
    if what == "file":
        write_atomic(path, letter.encode() * size)
    else:
        Index(path).write({"source": letter, "status": "ok"} for _ in range(size))
"""


def whole(path, what):
    """Whether what a reader finds is all of one writer's."""
    if what == "file":
        content = path.read_bytes()
        return content.count(content[:1]) == SIZES[what]
    found = pyarrow.parquet.read_table(path)["source"]
    return len(found) == SIZES[what] and len(found.unique()) == 1


@pytest.mark.parametrize("what", ["file", "index"])
def test_two_writers_and_a_reader(tmp_path, what):
    path, stop = tmp_path / "folder" / "x", tmp_path / "stop"
    words = [sys.executable, "-c", WRITER, path, what]
    writers = [subprocess.Popen([*map(str, (*words, letter, SIZES[what], stop))]) for letter in "ab"]
    try:
        while not path.exists():
            assert [writer.poll() for writer in writers] == [None, None]
        assert all(whole(path, what) for _ in range(60))
    finally:
        stop.touch()
        assert [writer.wait() for writer in writers] == [0, 0]
    assert whole(path, what)
    assert [left.name for left in path.parent.iterdir()] == ["x"]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "x"
    write_atomic(path, b"old")

    def rows():
        yield {"source": "a"}
        raise KeyboardInterrupt

    def fill(path):
        with replacing(path) as partial:
            partial.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(KeyboardInterrupt):
        Index(path).write(rows())
    with pytest.raises(ZooError, match="x: cannot be written"):
        fill(path)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    path = tmp_path / ("x" * 255)
    write_atomic(path, b"all of it")
    assert path.read_bytes() == b"all of it"
