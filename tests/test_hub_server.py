"""Pulling and pushing through the unmodified Hub client, against a server of our own: every way it can go wrong.

Each case runs in a process of its own, as the client reads its environment when imported.
"""

import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from conftest import ROOT
from hub_server import Hub
from zoo.variant import variant
from zoo.weights.checkpoint import digest
from zoo.weights.hub import BUNDLED, FILES

NAME = "fastdepth_pruned"
RECORD = variant(NAME).weights
REPOSITORY = f"me/{RECORD.repo}"


@pytest.fixture
def hub():
    server = Hub()
    server.oid = server.add(REPOSITORY, {path.name: path.read_bytes() for path in (BUNDLED / NAME).iterdir()})
    yield server
    server.close()


OUTCOMES = []


@pytest.fixture(autouse=True)
def _told(request, record_property):
    """The case and what came of it, for the table at the end."""
    OUTCOMES.clear()
    yield
    record_property("case", "Hub: " + request.node.name.removeprefix("test_").replace("_", " "))
    record_property("outcome", "; ".join(OUTCOMES) or "as it should")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "hf"


def environment(hub, home, **more):
    return os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(ROOT),
        "ZOO_NAMESPACE": "me",
        **more,
    }


def zoo(hub, home, *words, **more):
    return subprocess.run(
        [sys.executable, "-m", "zoo", *words], env=environment(hub, home, **more), capture_output=True, text=True
    )


def fetched(done):
    """The path that a pull printed, checked byte for byte."""
    assert done.returncode == 0, done.stderr
    path = done.stdout.strip()
    assert digest(Path(path)) == RECORD.sha256
    OUTCOMES.append("the right file")
    return path


def refused(done, *words):
    """One line on stderr, exit code 2."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    OUTCOMES.append(lines[0].split(": ", 2)[-1])
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


def test_the_first_pull_downloads_and_a_pinned_second_one_asks_nothing(hub, home):
    path = fetched(zoo(hub, home, "pull", NAME, "--revision", hub.oid))
    assert str(home) in path
    asked = len(hub.requests)
    assert asked
    assert fetched(zoo(hub, home, "pull", NAME, "--revision", hub.oid)) == path
    assert len(hub.requests) == asked
    assert fetched(zoo(hub, home, "pull", NAME, "--revision", hub.oid, HF_HUB_OFFLINE="1")) == path
    assert len(hub.requests) == asked


def test_a_folder_is_the_repository_byte_for_byte(hub, home, tmp_path):
    fetched(zoo(hub, home, "pull", NAME, "--to", str(tmp_path / "out")))
    for path in (BUNDLED / NAME).iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert {p.name for p in (tmp_path / "out").iterdir()} == {*FILES, "example.jpg"}
    fetched(zoo(hub, home, "pull", NAME, "--to", str(tmp_path / "bundled"), ZOO_NAMESPACE=""))
    assert {p.name for p in (tmp_path / "bundled").iterdir()} == {*FILES, "example.jpg"}


def test_a_repository_may_lack_the_picture_and_hold_what_nobody_asked_for(hub, home, tmp_path):
    files = {file: (BUNDLED / NAME / file).read_bytes() for file in FILES}
    hub.repositories[REPOSITORY].clear()
    hub.add(REPOSITORY, files | {"../../evil.txt": b"x", "pytorch_model.bin": b"x"})
    fetched(zoo(hub, home, "pull", NAME, "--to", str(tmp_path / "out")))
    assert {p.name for p in (tmp_path / "out").iterdir()} == set(FILES)
    assert not list(tmp_path.rglob("*evil*"))
    assert not any("evil" in path or "bin" in path for _, path in hub.requests)


def test_the_client_s_own_snapshot_is_a_checkpoint_folder(hub, home):
    program = f"from huggingface_hub import snapshot_download as get; print(get({REPOSITORY!r}))"
    done = subprocess.run([sys.executable, "-c", program], env=environment(hub, home), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = zoo(hub, home, "verify", done.stdout.strip(), "--json")
    assert json.loads(done.stdout)[0]["status"] == "ok"


def test_without_an_account_the_bundled_copy_is_pulled_and_nothing_asked(hub, home):
    assert str(BUNDLED) in fetched(zoo(hub, home, "pull", NAME, ZOO_NAMESPACE=""))
    assert not hub.requests


def test_offline_and_not_cached_is_said(hub, home):
    refused(zoo(hub, home, "pull", NAME, "--revision", hub.oid, HF_HUB_OFFLINE="1"), "not in the cache", "switched off")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (401, ("HF_TOKEN",)),
        (403, ("403", "HF_TOKEN may not")),
        (("gone", "RepoNotFound"), ("no such repository, or private",)),
        (("gone", "RevisionNotFound"), ("no such revision",)),
        (("gone", "EntryNotFound"), ("no such file",)),
        (("gone", "GatedRepo"), ("access must be asked for",)),
    ],
    ids=str,
)
def test_an_answer_that_is_final_is_one_line(hub, home, fault, words):
    kind = fault if isinstance(fault, tuple) else (fault,)
    hub.faults += [(method, "model.safetensors", *kind) for method in ("HEAD", "GET") for _ in range(4)]
    refused(zoo(hub, home, "pull", NAME), *words)
    assert not list(home.rglob("*.incomplete"))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_answer_that_may_pass_is_asked_again(hub, home, status):
    hub.faults.append(("GET", "model.safetensors", status, {"Retry_After": "0"}))
    done = zoo(hub, home, "pull", NAME)
    if done.returncode:  # a client that gives up must say so, and the next pull must work
        refused(done, str(status))
        done = zoo(hub, home, "pull", NAME)
    fetched(done)


def test_a_connection_that_is_cut_is_taken_up_where_it_broke(hub, home):
    """The client keeps whole portions of 10 MiB; a smaller file is asked for anew."""
    hub.faults.append(("GET", "model.safetensors", "cut"))
    fetched(zoo(hub, home, "pull", NAME))
    assert hub.count()["GET"] >= 2
    large = variant("fastdepth").weights
    hub.add(f"me/{large.repo}", {large.file: (BUNDLED / "fastdepth" / large.file).read_bytes()})
    hub.faults.append(("GET", "model.safetensors", "cut"))
    done = zoo(hub, home, "pull", "fastdepth")
    assert digest(Path(done.stdout.strip())) == large.sha256
    assert f"bytes={10 * 2**20}-" in hub.ranges


@pytest.mark.parametrize("kind", ["corrupt", "short"])
def test_a_wrong_body_never_becomes_weights(hub, home, kind, tmp_path):
    hub.faults.append(("GET", "model.safetensors", kind))
    done = zoo(hub, home, "pull", NAME, "--to", str(tmp_path / "out"))
    refused(done, *["damaged on its way; removed from the cache"] * (kind == "corrupt"))
    assert not (tmp_path / "out" / "model.safetensors").exists()
    fetched(zoo(hub, home, "pull", NAME))


def test_a_repository_of_other_weights_is_not_taken_for_the_pinned_ones(hub, home):
    content = (BUNDLED / NAME / "model.safetensors").read_bytes()
    hub.add(REPOSITORY, {"model.safetensors": content[:-1] + bytes([content[-1] ^ 1])})
    refused(zoo(hub, home, "pull", NAME), "sha256 differs from the pinned", "removed from the cache")
    hub.repositories[REPOSITORY].popitem()
    fetched(zoo(hub, home, "pull", NAME))


def test_a_cached_file_that_rotted_is_removed_and_fetched_again(hub, home):
    path = Path(fetched(zoo(hub, home, "pull", NAME, "--revision", hub.oid)))
    content = path.read_bytes()
    path.resolve().write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused(zoo(hub, home, "pull", NAME, "--revision", hub.oid), "damaged on its way; removed from the cache")
    fetched(zoo(hub, home, "pull", NAME, "--revision", hub.oid))


@pytest.fixture(scope="module")
def unanswered(tmp_path_factory):
    """A pull from where nobody listens; the client tries for 23 seconds, so it is begun before the other tests."""
    home = tmp_path_factory.mktemp("nobody")
    nobody = types.SimpleNamespace(url="http://127.0.0.1:9")
    words = [sys.executable, "-m", "zoo", "pull", NAME]
    with subprocess.Popen(
        words, env=environment(nobody, home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.fixture(autouse=True)
def _begun(unanswered):
    """Whichever test is first."""


def test_a_wrong_revision_is_named(hub, home):
    refused(zoo(hub, home, "pull", NAME, "--revision", "0" * 40), "no such revision")


def test_a_full_disk_is_one_line_and_leaves_nothing_that_loads(hub, home, tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); import signal; "
    limit += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from zoo.cli.app import main; import sys; "
    limit += f"sys.argv = ['zoo', 'pull', {NAME!r}, '--to', {str(tmp_path / 'out')!r}]; main()"
    done = subprocess.run([sys.executable, "-c", limit], env=environment(hub, home), capture_output=True, text=True)
    refused(done)
    assert not (tmp_path / "out" / "model.safetensors").exists()
    fetched(zoo(hub, home, "pull", NAME))


def test_two_pulls_at_once_both_get_it(hub, home):
    words = [sys.executable, "-m", "zoo", "pull", NAME]
    both = [
        subprocess.Popen(words, env=environment(hub, home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert outs[0][0] == outs[1][0]


def test_a_pull_killed_midway_can_be_done_again(hub, home):
    hub.faults.append(("GET", "model.safetensors", "stall"))
    process = subprocess.Popen([sys.executable, "-m", "zoo", "pull", NAME], env=environment(hub, home))
    deadline = time.monotonic() + 60
    while not any(m == "GET" and "model.safetensors" in p for m, p in hub.requests) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    fetched(zoo(hub, home, "pull", NAME))


def test_push_makes_the_very_repository_and_others_can_load_it(hub, home, tmp_path):
    done = zoo(hub, home, "push", NAME, "--to", "you", "--private", "--json", HF_TOKEN="hf_x")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["repository"] == f"you/{RECORD.repo}"
    files = hub.repositories[answer["repository"]][answer["commit"]]
    assert set(files) == {path.name for path in (BUNDLED / NAME).iterdir()}
    assert all(files[file] == (BUNDLED / NAME / file).read_bytes() for file in files)
    assert hub.private[answer["repository"]] is True
    program = f"""
import zoo, torch
network = zoo.FastDepth.from_pretrained("you/{RECORD.repo}", revision="{answer["commit"]}")
x = torch.rand(1, 3, 64, 64)
assert not network.training and torch.equal(network(x), zoo.load("{NAME}")(x))
network.save_pretrained("{tmp_path}/mine")
assert torch.equal(zoo.FastDepth.from_pretrained("{tmp_path}/mine")(x), network(x))
print(network.push_to_hub("me/mine"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(hub, home, HF_TOKEN="hf_x"), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert set(hub.repositories["me/mine"][done.stdout.strip()]) >= set(FILES)


def test_push_without_a_card_or_to_nowhere_is_refused(hub, home, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((BUNDLED / NAME / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_bytes((BUNDLED / NAME / "config.json").read_bytes())
    refused(zoo(hub, home, "push", str(tmp_path), "--to", "me"), "lacks README.md")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:-4])
    refused(zoo(hub, home, "push", str(tmp_path), "--to", "me"), "not a readable safetensors file")
    assert not hub.requests
    hub.faults += [("POST", "/api/repos/create", 403)]
    refused(zoo(hub, home, "push", NAME, "--to", "me", HF_TOKEN="hf_x"), "403")


def test_verify_names_what_is_wrong(hub, home, tmp_path):
    done = zoo(hub, home, "verify", "--json")
    assert done.returncode == 0, done.stdout
    assert all(row["status"] == "ok" for row in json.loads(done.stdout))
    for file in FILES[:2]:
        content = bytearray((BUNDLED / NAME / file).read_bytes())
        (tmp_path / file).write_bytes(content[: len(content) // 2] if file == "model.safetensors" else content)
    done = zoo(hub, home, "verify", str(tmp_path), "--json")
    assert done.returncode == 2
    assert "not a readable safetensors file" in json.loads(done.stdout)[0]["status"]


def test_where_nobody_answers_it_is_said(unanswered):
    out, err = unanswered.communicate()
    refused(subprocess.CompletedProcess([], unanswered.returncode, out, err), "the Hub is out of reach")
