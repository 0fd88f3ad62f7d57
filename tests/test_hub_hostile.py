"""A server, a cache and names that mean harm: what lies outside the cache is neither written nor removed."""

import dataclasses
import hashlib
import itertools
import shutil
import subprocess
import sys
import textwrap

import pytest
from test_hub_server import NAME, RECORD, REPOSITORY, environment, fetched, refused, zoo

from hub_server import Hub
from zoo.errors import ZooError
from zoo.variant import variant
from zoo.weights import hub_cache
from zoo.weights.hub import BUNDLED, resolve

CONTENT = (BUNDLED / NAME / RECORD.file).read_bytes()
COMMIT = "c" * 40
FOLDER = "models--me--" + RECORD.repo


@pytest.fixture
def hub():
    server = Hub()
    server.oid = server.add(REPOSITORY, {path.name: path.read_bytes() for path in (BUNDLED / NAME).iterdir()})
    yield server
    server.close()


@pytest.fixture
def home(tmp_path):
    """A Hub folder beside files of the user's."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("years of work")
    return tmp_path / "hf"


def outside(home):
    """What lies beside the Hub's folder."""
    return {
        str(p.relative_to(home.parent)): p.read_bytes() if p.is_file() else None
        for p in home.parent.rglob("*")
        if home not in (p, *p.parents)
    }


def python(program, hub, home, **more):
    words = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(words, env=environment(hub, home, **more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def lies(home):
    """Headers that name places, or that are no digests at all."""
    places = [
        str(home.parent / "mine" / "thesis"),
        str(home.parent / "new"),
        *("../" * n + "mine/new" for n in range(8)),
    ]
    odd = ["", ".", "..", "a" * 39, "a" * 41, "A" * 40, "g" * 64, f"{'a' * 40}/../{'b' * 40}", "C:\\x", "a" * 5000]
    for value in places + odd:
        yield from ({key: f'"{value}"'} for key in ("ETag", "X_Linked_ETag"))
        yield {"X_Repo_Commit": value}
        yield {"X_Repo_Commit": value, "ETag": f'"{value}"'}


@pytest.mark.parametrize("missing", [False, True])
def test_no_header_chooses_where_anything_is_written(hub, home, missing):
    """One answer for each lie; of a file that is there, and of one that is not, whose absence the client would note."""
    tried = [lie for lie in lies(home) if not (missing and lie.keys() == {"ETag"})]
    answers = iter(tried)
    hub.lie = lambda method: next(answers)
    before, file = outside(home), "none.txt" if missing else RECORD.file
    done = python(
        f"""
        from zoo.errors import ZooError
        from zoo.weights.hub_cache import download
        for _ in range({len(tried)}):
            try:
                download({REPOSITORY!r}, {file!r}, "main", None, False, False)
            except ZooError as error:
                assert "\\n" not in str(error)
                print(str(error)[:300])
        """,
        hub,
        home,
    )
    said = done.stdout.splitlines()
    assert len(said) == len(tried)
    assert all("no such file" in line if missing else "40 or 64 hexadecimal digits" in line for line in said)
    assert outside(home) == before
    assert not any(p.is_file() for p in home.rglob("*"))


@pytest.mark.parametrize("key", ["ETag", "X_Repo_Commit"])
def test_a_server_that_answers_differently_each_time(hub, home, key):
    """So many honest answers, then places: the right file or a refusal, and nothing beside the cache."""
    answers = itertools.chain.from_iterable([True] * honest + [False] * 4 for honest in range(5))
    place = str(home.parent / "new")
    hub.lie = lambda method: {} if next(answers) else {key: place}
    before = outside(home)
    program = f"""
        from zoo.weights.checkpoint import digest
        from zoo.errors import ZooError
        from zoo.weights.hub_cache import download
        for attempt in range(9):
            try:
                path = download({REPOSITORY!r}, {RECORD.file!r}, "main", {str(home)!r} + "/" + str(attempt), False, False)
                assert digest(path) == {RECORD.sha256!r}
                print("right")
            except ZooError as error:
                assert "40 or 64 hexadecimal digits" in str(error), error
                print("refused")
        """
    said = python(program, hub, home).stdout.split()
    assert set(said) == {"right", "refused"}
    assert outside(home) == before
    assert not list(home.rglob("*.partial")) + list(home.rglob("*.incomplete"))


def test_what_push_says_to_pin_is_a_commit(hub, home):
    hub.add = lambda name, files: 'x"\nsha256 = "'
    refused(zoo(hub, home, "push", NAME, "--to", "me", HF_TOKEN="hf_x"), "40 or 64 hexadecimal digits")


def test_a_commit_is_answered_by_itself_only(hub, home):
    hub.lie = lambda method: {"X_Repo_Commit": COMMIT}
    refused(zoo(hub, home, "pull", NAME, "--revision", hub.oid), "another commit")
    assert not any(p.is_file() for p in home.rglob("*"))


def test_a_file_is_no_larger_than_any_of_the_family(hub, home):
    program = f"""
        from zoo import errors
        from zoo.weights import hub_cache
        hub_cache.LARGEST = 2**20
        try:
            hub_cache.download({REPOSITORY!r}, {RECORD.file!r}, "main", None, False, False)
        except errors.ZooError as error:
            print(error)
        """
    assert "more than 1 MiB" in python(program, hub, home).stdout
    assert not any(p.is_file() for p in home.rglob("*"))


def test_a_token_does_not_follow_a_redirect_to_a_stranger(hub, home):
    stranger = Hub()
    stranger.repositories = hub.repositories
    path = f"/{REPOSITORY}/resolve/{hub.oid}/{RECORD.file}"
    hub.faults.append(("GET", RECORD.file, 302, {"Location": stranger.url + path}))
    fetched(zoo(hub, home, "pull", NAME, HF_TOKEN="hf_secret"))
    stranger.close()
    assert hub.tokens == ["Bearer hf_secret"] * 2
    assert stranger.requests == [("GET", path)]
    assert stranger.tokens == [None]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("repository", name) for name in ("../x", "me/..", "/etc/x", "me/x/y", "me", "me\\x/y", "C:/x", "me/x\n")),
        *(("file", name) for name in ("../x", "/etc/passwd", "a/b", "..", "", "a\\b", "C:x", "x\0")),
        *(
            ("revision", name)
            for name in ("../../x", "/etc/x", "a/../../b", "..", "", "a//b", "a\\b", "refs/../x", "a b")
        ),
    ],
)
def test_names_that_are_none_are_refused_before_anything_is_asked(tmp_path, kind, name):
    given = {"repository": "me/x", "file": "model.safetensors", "revision": "main"} | {kind: name}
    with pytest.raises(ZooError, match=f"no name of a {kind}"):
        hub_cache.download(*given.values(), tmp_path, False, False)
    assert not list(tmp_path.iterdir())


def test_branches_and_tags_of_any_usual_name_can_be_pulled(hub, home):
    """And the client finds what was fetched where it would have put it."""
    names = ["feature/wide", "refs/pr/1", "v1.0+cu118", "größer"]
    hub.repositories[REPOSITORY] = {name: {RECORD.file: CONTENT} for name in [*names, COMMIT]}
    hub.lie = lambda method: {"X_Repo_Commit": COMMIT}
    program = f"""
        from huggingface_hub import hf_hub_download, scan_cache_dir
        from zoo.weights.hub_cache import download
        for name in {names!r}:
            path = download({REPOSITORY!r}, {RECORD.file!r}, name, None, False, False)
            assert path == download({REPOSITORY!r}, {RECORD.file!r}, name, None, True, False)
            theirs = hf_hub_download({REPOSITORY!r}, {RECORD.file!r}, revision=name, local_files_only=True)
            assert theirs == str(path), (theirs, path)
        assert not scan_cache_dir().warnings
        """
    python(program, hub, home)
    assert hub.count() == {"HEAD": len(names), "GET": 1}


@pytest.fixture
def cache(tmp_path):
    """A cache as the client lays it out, and a shared store beside it."""
    folder = tmp_path / "cache" / FOLDER
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "blobs").mkdir()
    (tmp_path / "store").mkdir()
    return folder


def lay(cache, how, content):
    """A snapshot whose file lies in a store outside of the cache; where it lies there."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    store = cache.parent.parent / "store"
    snapshot, blob = cache / "snapshots" / COMMIT, cache / "blobs" / digest
    if how == "file":
        lies = store / "weights.safetensors"
        (snapshot / RECORD.file).symlink_to(lies)
    elif how == "named file":
        lies = store / digest
        (snapshot / RECORD.file).symlink_to(lies)
    elif how == "blob":
        lies = store / ("f" * 64)  # a store with digests of another kind
        blob.symlink_to(lies)
        (snapshot / RECORD.file).symlink_to(f"../../blobs/{digest}")
    elif how == "snapshot":
        snapshot.rmdir()
        snapshot.symlink_to(store)
        lies = store / RECORD.file
    elif how == "blobs":
        (cache / "blobs").rmdir()
        (cache / "blobs").symlink_to(store)
        lies = store / digest
        (snapshot / RECORD.file).symlink_to(f"../../blobs/{digest}")
    elif how == "repository":
        (snapshot / RECORD.file).symlink_to(f"../../blobs/{digest}")
        shutil.move(cache, store)
        cache.symlink_to(store / cache.name)
        lies = store / cache.name / "blobs" / digest
    lies.write_bytes(content)
    return lies


PINNED = dataclasses.replace(variant(NAME), weights=dataclasses.replace(RECORD, revision=COMMIT))
WAYS = ["file", "named file", "blob", "snapshot", "blobs", "repository"]


def pinned(cache):
    return resolve(PINNED, cache_dir=cache.parent, namespace="me", local_files_only=True)


@pytest.mark.parametrize("how", WAYS)
def test_a_snapshot_linked_to_a_shared_store_is_read_and_verified(cache, how):
    lies = lay(cache, how, CONTENT)
    for path in (pinned(cache), hub_cache.download(REPOSITORY, RECORD.file, COMMIT, cache.parent, True, False)):
        assert path.resolve() == lies.resolve()


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("wrong", [CONTENT[:-1] + b"!", CONTENT[:-1], b""], ids=["flipped", "cut", "empty"])
def test_what_a_snapshot_is_linked_to_is_never_removed(cache, how, wrong):
    lies = lay(cache, how, wrong)
    (lies.parent / "neighbour").write_text("of somebody else")
    for _ in range(2):  # nor by the second try
        with pytest.raises(ZooError, match="left alone, as it lies outside the cache") as error:
            pinned(cache)
        assert str(lies.resolve()) in str(error.value)
        if how in ("named file", "blob", "blobs", "repository"):  # whose digest the link tells
            with pytest.raises(ZooError, match="left alone"):
                hub_cache.download(REPOSITORY, RECORD.file, COMMIT, cache.parent, True, False)
        assert lies.read_bytes() == wrong
        assert (lies.parent / "neighbour").exists()


def test_what_lies_in_a_cache_reached_by_a_link_is_removed(cache, tmp_path):
    """The folder that HF_HUB_CACHE names is the cache, wherever it really is."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    (cache / "blobs" / digest).write_bytes(b"damaged")
    link = cache / "snapshots" / COMMIT / RECORD.file
    link.symlink_to(f"../../blobs/{digest}")
    (tmp_path / "linked").symlink_to(cache.parent)
    with pytest.raises(ZooError, match="removed from the cache"):
        resolve(PINNED, cache_dir=tmp_path / "linked", namespace="me")
    assert not (cache / "blobs" / digest).exists()
    assert not link.is_symlink()


def test_of_another_repository_in_the_cache_nothing_is_removed(cache):
    sound = cache.parent / "models--you--other" / "blobs" / ("a" * 40)
    sound.parent.mkdir(parents=True)
    sound.write_bytes(b"sound, but not ours")
    link = cache / "snapshots" / COMMIT / RECORD.file
    link.symlink_to(sound)
    with pytest.raises(ZooError, match="removed from the cache"):
        pinned(cache)
    assert sound.exists()
    assert not link.is_symlink()


def test_a_link_to_a_removed_file_is_mended(hub, home):
    path = fetched(zoo(hub, home, "pull", NAME, "--revision", hub.oid))
    (blob,) = (home / "hub" / FOLDER / "blobs").iterdir()
    blob.unlink()
    assert fetched(zoo(hub, home, "pull", NAME, "--revision", hub.oid)) == path


def test_where_links_are_off_the_file_itself_is_kept(hub, home):
    for _ in range(2):
        path = fetched(zoo(hub, home, "pull", NAME, "--revision", hub.oid, HF_HUB_DISABLE_SYMLINKS="1"))
    assert not any(p.is_symlink() for p in home.rglob("*"))
    assert hub.count() == {"HEAD": 1, "GET": 1}
    assert path.endswith(f"{hub.oid}/{RECORD.file}")


def test_what_is_cached_is_served_where_the_hub_cannot_be_asked(hub, home):
    path = fetched(zoo(hub, home, "pull", NAME))
    again = f"""
        from zoo.weights.hub_cache import download
        for _ in range(4):
            print(download({REPOSITORY!r}, {RECORD.file!r}, "main", None, False, False))
        """
    hub.faults += [("HEAD", RECORD.file, fault) for fault in (503, 403, 429)]
    assert set(python(again, hub, home).stdout.split()) == {path}
    assert not hub.faults
    assert set(python(again, hub, home, HF_HUB_OFFLINE="1").stdout.split()) == {path}
    assert hub.count() == {"HEAD": 5, "GET": 1}
    hub.close()
    assert set(python(again, hub, home).stdout.split()) == {path}


def test_bars_are_of_a_call_and_no_setting_of_the_caller_s_is_changed(hub, home):
    program = f"""
        import sys
        from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
        from zoo.weights.hub_cache import download
        for setting in (disable_progress_bars, enable_progress_bars):
            setting()
            before = are_progress_bars_disabled()
            for file, progress in {{"config.json": True, "model.safetensors": False}}.items():
                print("now", setting.__name__, file=sys.stderr)
                download({REPOSITORY!r}, file, "main", {str(home)!r} + setting.__name__, False, progress)
                assert are_progress_bars_disabled() == before
        """
    said = python(program, hub, home, TQDM_POSITION="-1").stderr
    assert "model.safetensors:" not in said
    assert "config.json:" not in said.partition("now enable_progress_bars")[0]
    assert "config.json:" in said.partition("now enable_progress_bars")[2]
