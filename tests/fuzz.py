"""Coverage-guided fuzzing of everything that reads foreign bytes: `python tests/fuzz.py CORPUS -max_total_time=600`.

The first byte chooses the reader, the rest is the file. Whatever is raised but a ZooError is a find, which libFuzzer keeps in
a file named crash-…; give it that file to see it again.
"""

import contextlib
import io
import json
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["zoo", "pickle"]):
    from zoo import image
    from zoo import importers as convert
    from zoo.errors import ZooError
    from zoo.importers import folded, legacy
    from zoo.weights import checkpoint

import torch
from PIL import Image
from safetensors.torch import save

READERS = (
    ("x.pth", legacy.read),
    ("config.json", lambda path: checkpoint.config(path.parent)),
    ("x.safetensors", convert.import_file),
    ("x.tflite", folded.read),
    ("x.onnx", folded.read),
    ("x.png", image.read),
)
FOLDER = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)


def one(content):
    """A file, read or refused."""
    if not content:
        return
    name, read = READERS[content[0] % len(READERS)]
    path = Path(FOLDER.name, name)
    path.write_bytes(content[1:])
    with contextlib.suppress(ZooError):
        read(path)


def seeds(folder):
    """A small right file for every reader."""
    state = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.arange(3)}
    new, old, picture = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save(state, new)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    Image.effect_noise((8, 6), 40).save(picture, "PNG")
    config = json.dumps(
        json.loads((Path(checkpoint.__file__).parents[1] / "checkpoints/fastdepth/config.json").read_text())
    )
    files = ((0, new.getvalue()), (0, old.getvalue()), (1, config.encode()), (2, save(state)), (5, picture.getvalue()))
    for i, (reader, content) in enumerate(files):
        (folder / f"seed-{i}").write_bytes(bytes([reader]) + content)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    corpus = Path(sys.argv[1])
    if corpus.is_dir():
        seeds(corpus)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
