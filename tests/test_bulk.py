"""A great many pictures: what is written, what is kept, what the index says, and that every engine says the same."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from types import SimpleNamespace

import numpy as np
import psutil
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import ROOT, complaint
from zoo import image
from zoo.data.rooms import render
from zoo.errors import ZooError
from zoo.files import alone
from zoo.inference import backends as runtimes
from zoo.inference import batch as bulk
from zoo.inference import engines
from zoo.inference.sources import expand, shard


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures in two folders, some of one name, one of them bad."""
    folder = tmp_path_factory.mktemp("pictures")
    picture, _ = render(3, 48, 64)
    for i in range(70):
        path = folder / "in" / ("b" if i % 2 else "a") / f"{i // 2:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(picture, i, 1)).save(path)
    (folder / "in" / "b" / "bad.jpg").write_text("no picture")
    return folder


def table(path):
    return pyarrow.parquet.read_table(path).to_pylist()


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_depths_and_their_index(zoo, pictures):
    code, out, err = zoo("predict", "in/**/*.*", "-o", "out", "--engine", "process", "--json", cwd=pictures)
    assert code == 2
    said = "error: in/b/bad.jpg: not a picture this can read (JPEG, PNG, WebP, TIFF, BMP, …)"
    assert err.strip().splitlines() == [said]
    assert {key: json.loads(out)[key] for key in ("pictures", "written", "kept", "failed")} == {
        "pictures": 71,
        "written": 70,
        "kept": 0,
        "failed": 1,
    }
    rows = table(pictures / "out" / "index.parquet")
    assert [row["source"] for row in rows] == sorted(row["source"] for row in rows)
    assert [row["status"] for row in rows if row["source"].endswith("bad.jpg")] == [said.removeprefix("error: ")]
    predict = runtimes.find("fastdepth_pruned", None, 1).predict
    for row in rows[:3]:
        with Image.open(pictures / "out" / row["depth"]) as file:
            millimetres = np.asarray(file)
        depth = predict(image.read(pictures / row["source"]))
        assert np.abs(millimetres * row["metres_per_unit"] - depth).max() < 0.0006
        assert millimetres.shape == (row["height"], row["width"]) == (48, 64)
        assert row["min_m"] == pytest.approx(millimetres.min() / 1000)
        assert row["median_m"] == pytest.approx(np.median(millimetres) / 1000)
        assert len(row["weights_sha256"]) == 64


@pytest.fixture(scope="module")
def workers(pictures):
    """Workers by model, built once."""
    return cache(lambda model, out: bulk.Worker(model, None, 2, pictures, out))


def run(workers, sources, out, part=None, limit=None, model="fastdepth_pruned"):
    """One bulk job in this process: how many were written, how many kept."""
    job = bulk.Bulk.plan([str(source) for source in sources], out, part, limit)
    rows = list(engines.process(job, lambda: workers(model, out)))
    kept = sum(row.pop("kept") for row in rows)
    bulk.Index(job.index).write(rows)
    return len(rows) - kept, kept


def test_a_second_run_keeps_what_is_finished_and_ends_the_same(workers, pictures, tmp_path):
    sources, out = [pictures / "in" / "a"], tmp_path / "out"
    assert run(workers, sources, out, limit=9) == (9, 0)
    assert run(workers, sources, out) == (26, 9)
    whole = content(out)
    (out / "004.png.depth.png").write_bytes(b"cut off")
    (out / "005.png.depth.png").unlink()
    (out / "006.png.depth.png.partial").write_bytes(b"half of a file")
    assert run(workers, sources, out) == (2, 33)
    (out / "006.png.depth.png.partial").unlink()
    assert content(out) == whole
    assert run(workers, sources, out, model="fastdepth") == (35, 0)  # other weights


def test_a_picture_that_was_replaced_is_done_again(workers, pictures, tmp_path):
    source, out = tmp_path / "in" / "x.png", tmp_path / "out"
    source.parent.mkdir()
    shutil.copy(pictures / "in" / "a" / "000.png", source)
    assert run(workers, [source.parent], out) == (1, 0)
    first = table(out / "index.parquet")[0]
    assert first["source_bytes"] == source.stat().st_size
    assert first["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    before = source.stat()
    source.touch()
    assert run(workers, [source.parent], out) == (0, 1)  # what is in it is the same
    assert table(out / "index.parquet")[0]["source_mtime_s"] == source.stat().st_mtime
    shutil.copy(pictures / "in" / "b" / "000.png", source)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(workers, [source.parent], out) == (1, 0)
    assert table(out / "index.parquet")[0]["source_sha256"] != first["source_sha256"]
    source.unlink()
    assert run(workers, [source], out) == (1, 0)
    assert "no such file" in table(out / "index.parquet")[0]["status"]


@pytest.fixture
def quick(pictures, monkeypatch):
    """Workers whose depth is the picture's red."""
    predictor = SimpleNamespace(depth=lambda p, camera: p[..., 0].astype(np.float32))
    stub = SimpleNamespace(model="red", weights="0" * 64, name="none", predict=predictor)
    monkeypatch.setattr(runtimes, "find", lambda *_: stub)
    return lambda model, out: bulk.Worker(model, None, 1, pictures, out)


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_depth_file_with_any_damage_is_done_again(quick, pictures, tmp_path, data):
    sources, out = [pictures / "in" / "a" / "000.png"], tmp_path / "out"
    run(quick, sources, out)
    (path,) = out.rglob("*.depth.png")
    whole = path.read_bytes()
    place = data.draw(st.integers(0, 2**20)) % len(whole)  # its header holds times, whose digits vary in number
    cut, changed = whole[:place], bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    for damaged in (cut, bytes(changed)):
        path.write_bytes(damaged)
        assert run(quick, sources, out) == (1, 0)
        assert path.read_bytes() == whole
    assert run(quick, sources, out) == (0, 1)


@pytest.mark.parametrize("name", list(bulk.FACTS))
def test_a_header_that_says_anything_does_not_end_the_job(quick, pictures, tmp_path, name):
    sources, out = [pictures / "in" / "a" / "000.png"], tmp_path / "out"
    run(quick, sources, out)
    (path,) = out.rglob("*.depth.png")
    with Image.open(path) as file:
        facts, pixels = json.loads(file.text[bulk.KEY]), np.asarray(file)
    for value in (None, [], "x", -1, 1e999, 2**70, "\ud800", True):
        header = bulk.PngInfo()
        header.add_text(bulk.KEY, json.dumps(facts | {name: value}))
        Image.fromarray(pixels).save(path, pnginfo=header)
        run(quick, sources, out)
        row = table(out / "index.parquet")[0]
        assert row["status"] == "ok"
        assert row["height"] == 48


NAMES = (b"caf\xe9.png", b"line\nfeed.png", b"-x.png", b"\xff\xfe.png", "\u202e.png".encode(), b"x" * 251 + b".png")


@pytest.mark.parametrize("engine", ["process", "ray"])
def test_a_picture_may_have_any_name(zoo, pictures, tmp_path, engine):
    (tmp_path / "in").mkdir()
    for name in NAMES:
        shutil.copy(pictures / "in" / "a" / "000.png", os.fsencode(tmp_path / "in") + b"/" + name)
    words = ("predict", "in", "-o", "out", "--engine", engine, "--json")
    for kept in (0, len(NAMES)) if engine == "process" else (0,):
        code, out, err = zoo(*words)
        assert code == 0, err
        assert json.loads(out)["kept"] == kept
    rows = table(tmp_path / "out" / "index.parquet")
    assert {row["source"] for row in rows} == {bulk.readable(os.fsdecode(b"in/" + name)) for name in NAMES}
    assert "in/caf\\xe9.png" in {row["source"] for row in rows}
    written = {bulk.readable(path.name) for path in (tmp_path / "out").glob("*.depth.png")}
    assert written == {row["depth"] for row in rows}
    assert len(written) == len(NAMES)


def test_two_long_names_that_begin_alike_are_two():
    pair = [
        bulk.Bulk.plan([name + end], bulk.Path("out")).work[0][1] for name in ("x" * 250, "é" * 125) for end in "ab"
    ]
    assert len(set(pair)) == 4
    assert all(len(os.fsencode(name)) <= 255 and name.endswith(".depth.png") for name in pair)


def test_one_job_at_a_time(zoo, pictures, tmp_path):
    words = ("predict", pictures / "in" / "a" / "000.png", "-o", "out", "--engine", "process")
    with alone(tmp_path / "out" / "index.parquet"):
        assert "another job is writing it" in complaint(zoo(*words))
        assert zoo(*words, "--shard", "0/1")[0] == 0  # an index of its own
    assert zoo(*words)[0] == 0
    assert [path.name for path in (tmp_path / "out").glob(".*")] == []


def test_shards_make_up_the_whole(workers, pictures, tmp_path):
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in sorted((pictures / "in").glob("?/*.png"))))
    rows, out = [], tmp_path / "out"
    for part in range(3):
        run(workers, [tmp_path / "list.txt"], out, part=f"{part}/3")
        rows += table(out / f"index-{part}-of-3.parquet")
    assert len({row["depth"] for row in rows}) == len({row["source"] for row in rows}) == 70
    assert all((out / row["depth"]).is_file() for row in rows)


@given(st.integers(0, 40), st.integers(1, 6), st.none() | st.integers(1, 9))
def test_shards_are_disjoint_and_whole(count, parts, limit):
    found = {str(i): str(-i) for i in range(count)}
    shards = [shard(found, f"{i}/{parts}", limit) for i in range(parts)]
    assert sum(map(len, shards)) == len({key for part in shards for key in part})
    if limit is None:
        assert {key: value for part in shards for key, value in part.items()} == found
    else:
        assert all(len(part) <= limit for part in shards)


def test_places_lead_nowhere_but_down(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = expand(["/etc/a.png", "../../b.png", "c/../d.png"])
    assert [str(place) for place in found.values()] == ["etc/a.png", "b.png", "c/d.png"]


def test_two_pictures_of_one_place_are_refused():
    with pytest.raises(ZooError, match="would both be written there"):
        bulk.Bulk.plan(["a/x.png", "../a/x.png"], bulk.Path("out"))


def test_a_header_that_is_not_ours_counts_as_nothing(tmp_path):
    for i, text in enumerate(("{", "[]", "7", '{"a": 1}')):
        header = bulk.PngInfo()
        header.add_text(bulk.KEY, text)
        Image.new("L", (2, 2)).save(tmp_path / f"{i}.png", pnginfo=header)
        assert bulk.finished(tmp_path / f"{i}.png") is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--engine spark", "no engine 'spark'; there are process and ray"),
        ("--engine process --raw npy", "--raw, --max-frames and --frames do not go with it"),
        ("--engine process --workers 2", "--workers goes with --engine ray"),
        ("--workers 2", "--workers goes with --engine ray"),
        ("--engine process --shard 4/4", "--shard 4/4: give I/N with I from 0 to N - 1"),
        ("--shard x", "--shard x: give I/N"),
        ("--engine process -o /dev/null/x", "/dev/null/x"),
        ("--engine ray --workers 1000", "need more processors than Ray has here"),
    ],
)
def test_what_a_user_can_mend_is_one_line(zoo, words, reason):
    lines = zoo("predict", ROOT / "examples" / "room.jpg", *words.split())
    assert reason in complaint(
        (lines[0], lines[1], "\n".join(x for x in lines[2].splitlines() if "logging.cc" not in x))
    )


def test_ray_gives_the_same_bytes_even_if_a_worker_is_killed(zoo, pictures, tmp_path):
    words = ("predict", "in/?/*.png", "--engine")
    assert zoo(*words, "process", "-o", tmp_path / "one", cwd=pictures)[0] == 0
    command = [sys.executable, "-m", "zoo", *words, "ray", "--workers", "2", "-o", str(tmp_path / "two"), "--json"]
    job = subprocess.Popen(command, cwd=pictures, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(list(tmp_path.glob("two/**/*.depth.png"))) < 5:
        assert job.poll() is None, job.stderr.read()
        time.sleep(0.02)
    actors = [p for p in psutil.Process(job.pid).children(recursive=True) if "MapWorker" in " ".join(p.cmdline())]
    os.kill(actors[0].pid, signal.SIGKILL)
    out, err = job.communicate(timeout=240)
    assert job.returncode == 0, err
    assert json.loads(out)["failed"] == 0
    assert content(tmp_path / "two") == content(tmp_path / "one")
