"""No command writes over a file of the user's: not over its inputs, nor twice in one place, nor over what it did not write."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from conftest import ROOT, complaint, small_frames
from zoo import outputs
from zoo.cli.app import app
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.exporters import FORMATS, export
from zoo.kernels import records as log
from zoo.kernels.errors import KernelError
from zoo.visual.picture import write

NOT_OURS = "this command did not write it"


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """As the fixture of this name, in this process: a great many commands, most of which end at once."""
    monkeypatch.chdir(tmp_path)

    def run(*words, cwd=tmp_path):
        assert Path.cwd() == cwd
        done = CliRunner().invoke(app, [str(word) for word in words])
        if isinstance(done.exception, (ZooError, KernelError)):
            return 2, "", f"error: {done.exception}"
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.fixture
def folder(tmp_path):
    """Pictures in `in/`: a.jpg and b.jpg."""
    for i, name in enumerate("ab"):
        path = tmp_path / "in" / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.roll(render(3, 48, 64)[0], i, 1)).save(path)
    return tmp_path


def content(folder):
    """All that lies there: files by their bytes, links by what they name."""
    return {
        path.relative_to(folder): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def refused(zoo, folder, reason, *words):
    """Run a command that is to write nothing and say why."""
    before = content(folder)
    said = complaint(zoo(*words, cwd=folder))
    assert reason in said
    assert content(folder) == before
    return said


def test_the_user_s_own_pictures_survive(zoo, folder):
    shutil.copy(folder / "in" / "b.jpg", folder / "in" / "a.png")
    refused(zoo, folder, NOT_OURS, "predict", "in/a.jpg", "-o", "in/")
    for more in ((), ("--overwrite",)):
        refused(zoo, folder, "in/a.png: is the input", "predict", "in/a.png", "in/b.jpg", "-o", "in/", *more)
    before = content(folder)
    assert zoo("predict", "in/", "-o", "in/", cwd=folder)[0] == 0  # a.jpg.png and a.png.png, as both are called a
    assert before.items() <= content(folder).items()


@pytest.mark.parametrize(
    ("mine", "words"),
    [
        ("d.png", "-o d.png"),
        ("d.raw.png", "-o d.png --raw png16"),
        ("d.npy", "-o d.png --raw npy"),
        ("d.jpg", "-o d.jpg"),
        ("d.webp", "-o d.webp"),
        ("a-depth.png", ""),
        ("out/a.jpg.depth.png", "-o out --engine process"),
        ("out/index.parquet", "-o out --engine process"),
        ("out/index-0-of-1.parquet", "-o out --engine process --shard 0/1"),
    ],
)
def test_predictions(zoo, folder, mine, words):
    """Twice is fine, and into the same place; a file of the user's there is not touched, unless told to."""
    mine, words = folder / mine, ("predict", "in/a.jpg", *words.split())
    if mine.parent.name == "out":
        words = ("predict", "in", *words[2:])
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("years of work")
    assert mine.name in refused(zoo, folder, NOT_OURS, *words)
    mine.unlink()
    for _ in range(2):
        assert zoo(*words, cwd=folder)[0] == 0
    made = mine.read_bytes()
    mine.write_text("years of work")
    refused(zoo, folder, NOT_OURS, *words)
    assert zoo(*words, "--overwrite", cwd=folder)[0] == 0
    assert mine.read_bytes() == made


def test_bare_depth_is_ours_only_while_it_is_what_was_written(zoo, folder):
    assert zoo("predict", "in/a.jpg", "-o", "d.png", "--raw", "npy", cwd=folder)[0] == 0
    np.save(folder / "d.npy", np.load(folder / "d.npy") + 1)
    refused(zoo, folder, "d.npy: exists", "predict", "in/a.jpg", "-o", "d.png", "--raw", "npy")


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_films(zoo, folder, suffix):
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(folder / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for shade in (40, 90, 140):
        writer.write(np.full((48, 64, 3), shade, np.uint8))
    writer.release()
    out = folder / f"depth{suffix}"
    out.write_text("a wedding")
    refused(zoo, folder, NOT_OURS, "predict", "film.avi", "-o", out.name)
    refused(zoo, folder, "is the input", "predict", "film.avi", "-o", "in/../film.avi", "--overwrite")
    out.unlink()
    for _ in range(2):
        assert zoo("predict", "film.avi", "-o", out.name, cwd=folder)[0] == 0
    film = cv2.VideoCapture(str(out))
    assert sum(film.read()[0] for _ in range(5)) == 3  # what names the maker is no frame


def test_links_and_other_names_of_a_file_are_that_file(zoo, folder):
    source = folder / "in" / "a.jpg"
    (folder / "link.jpg").symlink_to(source)
    (folder / "there").symlink_to(folder / "in")
    (folder / "hard.jpg").hardlink_to(source)
    for name in ("link.jpg", "hard.jpg", "there/a.jpg", "in/../in/a.jpg", "./in//a.jpg", str(source)):
        for more in ((), ("--overwrite",)):
            refused(zoo, folder, "is the input", "predict", "in/a.jpg", "-o", name, *more)
    (folder / "dangling.png").symlink_to(folder / "nothing.png")
    refused(zoo, folder, NOT_OURS, "predict", "in/a.jpg", "-o", "dangling.png")
    shutil.copy(source, folder / "other.jpg")
    (folder / "other.png").symlink_to("other.jpg")
    refused(zoo, folder, NOT_OURS, "predict", "in/a.jpg", "-o", "other.png")
    assert zoo("predict", "in/a.jpg", "-o", "other.png", "--overwrite", cwd=folder)[0] == 0
    assert not (folder / "other.png").is_symlink()
    assert (folder / "other.jpg").read_bytes() == source.read_bytes()


def test_an_output_in_the_way_of_another_gets_a_number(zoo, folder):
    for name in ("a.raw.jpg", "A.jpg"):
        shutil.copy(folder / "in" / "b.jpg", folder / "in" / name)
    code, out, _ = zoo("predict", "in", "-o", "out", "--raw", "png16", "--json", cwd=folder)
    rows = json.loads(out)
    assert code == 0
    written = [row[kind] for row in rows for kind in ("picture", "raw")]
    assert len({name.casefold() for name in written}) == len(written) == len(list((folder / "out").iterdir())) == 8


def test_a_folder_or_a_device_in_the_way_is_never_replaced(zoo, folder):
    (folder / "x.raw.png").mkdir()
    (folder / "y.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    for more in ((), ("--overwrite",)):
        refused(zoo, folder, "is a folder", "predict", "in/a.jpg", "-o", "x.png", "--raw", "png16", *more)
        refused(zoo, folder, "is no file", "predict", "in/a.jpg", "-o", "pipe.png", *more)
    assert zoo("predict", "in/a.jpg", "-o", "y.png", cwd=folder)[0] == 0  # into it
    assert [path.name for path in (folder / "y.png").iterdir()] == ["a.png"]


def test_targets_are_compared_with_one_another(tmp_path, monkeypatch):
    ours = outputs.marked("predict")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ZooError, match="two outputs would be written there"):
        outputs.claim([(tmp_path / "new" / "a.png", ours), (tmp_path / "link" / "x" / ".." / "new" / "a.png", ours)])
    pair = [(tmp_path / "New" / "a.png", ours), (tmp_path / "new" / "A.png", ours)]
    outputs.claim(pair)
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
    monkeypatch.setattr(outputs, "_folds", lambda _: True)  # as on macOS and Windows
    with pytest.raises(ZooError, match="two outputs would be written there"):
        outputs.claim(pair)


@pytest.mark.parametrize("form", FORMATS)
def test_exports_say_who_wrote_them(zoo, pruned, tmp_path, form):
    path = tmp_path / f"network{FORMATS[form]}"
    export(pruned, form, path, 32, 32)
    assert outputs.marked("export")(path)
    words = ("export", "--format", form, "--input", "32x32", "-o", path)
    assert zoo(*words)[0] == 0
    path.write_text("mine")
    refused(zoo, tmp_path, NOT_OURS, *words)


def test_another_command_s_output_is_not_its_own(zoo, folder):
    write(render(3, 48, 64)[0], folder / "d.png", outputs.mark("eval"))
    refused(zoo, folder, NOT_OURS, "predict", "in/a.jpg", "-o", "d.png")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_checkpoint_folders(zoo, pruned, tmp_path, name):
    export(pruned, "onnx", tmp_path / "x.onnx", 32, 32)
    commands = (
        ("import", tmp_path / "x.onnx", "-o", "imported"),
        ("prune", "-m", "fastdepth", "--to", "fastdepth_pruned", "-o", "cut"),
        ("pull", "fastdepth_pruned", "--to", "pulled"),
    )
    for words in commands:
        mine = tmp_path / words[-1] / name
        mine.parent.mkdir()
        mine.write_text('{"format": "another"}')
        refused(zoo, tmp_path, f"{name}: exists", *words)
        mine.unlink()
        for _ in range(2):
            assert zoo(*words, cwd=tmp_path)[0] == 0
    for words in commands:
        for other in {"imported", "cut", "pulled"} - {words[-1]}:
            refused(zoo, tmp_path, NOT_OURS, *words[:-1], other)
    weights = tmp_path / "imported" / "model.safetensors"
    refused(zoo, tmp_path, "is the input", "import", weights, "-o", "imported", "--overwrite")
    cut = ("prune", "-m", "cut", "--uniform", "--budget", "0.5", "-o", "cut")
    refused(zoo, tmp_path, "is the input", *cut)


def test_pulling_spares_a_card_that_was_edited(zoo, tmp_path):
    words = ("pull", "fastdepth_pruned", "--to", "pulled")
    assert zoo(*words, cwd=tmp_path)[0] == 0
    card = tmp_path / "pulled" / "README.md"
    made = card.read_bytes()
    card.write_text("my notes")
    refused(zoo, tmp_path, "README.md: exists", *words)
    assert zoo(*words, "--overwrite", cwd=tmp_path)[0] == 0
    assert card.read_bytes() == made


@pytest.mark.parametrize(
    "name",
    ["out/log.csv", "out/state.pt", "out/config.json", "out/data/frames/images.npy", "out/data/photos/store.json"],
)
def test_training_spares_what_lies_there(zoo, tmp_path, name):
    frames = tmp_path / "frames"
    frames.mkdir()
    small_frames(frames, 6)
    mine = tmp_path / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    for words in (("train",), ("prune", "--budget", "0.9")):
        refused(zoo, tmp_path, NOT_OURS, *words, "--dataset", "frames", "--hold-out", "2", "-o", "out")


def test_a_search_spares_what_lies_there(zoo, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "search.json").write_text("{}")
    refused(zoo, tmp_path, NOT_OURS, "prune", "--budget", "0.9", "--dataset", "frames", "-o", "out")


def test_training_does_not_write_over_what_it_starts_from(zoo, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    small_frames(frames, 6)
    assert zoo("prune", "-m", "fastdepth", "--to", "fastdepth_pruned", "-o", "cut", cwd=tmp_path)[0] == 0
    words = ("train", "-m", "cut", "--init", "cut", "--config", ROOT / "zoo" / "recipes" / "scratch.toml")
    refused(zoo, tmp_path, "is the input", *words, "--dataset", "frames", "--hold-out", "2", "-o", "cut")


def test_the_picture_of_the_worst(zoo, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    small_frames(frames, 2)
    words = ("eval", "--dataset", "frames", "--worst", "worst.png")
    for _ in range(2):
        assert zoo(*words, cwd=tmp_path)[0] == 0
    (tmp_path / "worst.png").write_text("mine")
    refused(zoo, tmp_path, NOT_OURS, *words)


def test_an_artifact_s_folder(zoo, tmp_path):
    words = ("compile", "--device", "host", "--input", "32x32", "-o", "made")
    made, page = tmp_path / "made", tmp_path / "page"
    page.mkdir()
    (page / "manifest.json").write_text('{"name": "my web page"}')
    (page / "index.html").write_text("my web page")
    refused(zoo, tmp_path, NOT_OURS, *words[:-1], "page")
    refused(zoo, tmp_path, "exists and is not an artifact", *words[:-1], "page", "--overwrite")
    assert zoo(*words, cwd=tmp_path)[0] == 0
    (made / "photos").mkdir()
    (made / "photos" / "manifest.json").write_text("mine")
    (made / "notes.txt").write_text("mine")
    assert zoo(*words, cwd=tmp_path)[0] == 0
    assert {(made / "photos" / "manifest.json").read_text(), (made / "notes.txt").read_text()} == {"mine"}
    twin = (made / "fastdepth.py").read_text()
    (made / "fastdepth.py").write_text(twin + "# and a thing of mine\n")
    refused(zoo, tmp_path, "fastdepth.py: exists", *words)
    assert zoo(*words, "--overwrite", cwd=tmp_path)[0] == 0
    assert (made / "fastdepth.py").read_text() == twin
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "page"]


def test_nothing_is_added_to_a_file_that_is_no_log(zoo, tmp_path):
    known = next(log.FOLDER.glob("*.jsonl"))
    (tmp_path / "notes.txt").write_text("what I did today\n")
    (tmp_path / "old.log").write_text("")
    refused(zoo, tmp_path, "not a tuning log", "log", "merge", known, "-o", "notes.txt")
    words = ("log", "import", "old.log", "--device", "tx2-cpu", "--host", "a TX2", "-o", "notes.txt")
    refused(zoo, tmp_path, "not a tuning log", *words)
    refused(zoo, tmp_path, "not a tuning log", "tune", "--trials", "1", "--log", "notes.txt")
    for _ in range(2):
        assert zoo("log", "merge", known, "-o", "mine.jsonl", cwd=tmp_path)[0] == 0
