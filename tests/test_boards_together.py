"""Several boards at once: made-up ones, and TVM's own tracker and servers on this machine."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from test_remote import ssh  # noqa: F401
from test_tune import LAYERS, V4, imagined

from conftest import complaint
from zoo.kernels.device import device, host
from zoo.kernels.errors import KernelError, UnreachableError
from zoo.kernels.ir.workload import Workload
from zoo.kernels.processor import Machine, here
from zoo.kernels.records import read
from zoo.kernels.targets import target_of
from zoo.kernels.tuning.boards import Boards, reach
from zoo.kernels.tuning.local import LocalRunner
from zoo.kernels.tuning.remote import RemoteRunner
from zoo.kernels.tuning.rpc import offered, runners
from zoo.kernels.tuning.search import tune

WORKLOAD = Workload.parse("depthwise3s1-f32-c8-7x7+relu")


class Imagined:
    """A board that is gone after so many settings."""

    def __init__(self, name, lives=10**9):
        self.name, self.lives, self.measured = name, lives, []

    def measure(self, workload, knobs):
        if len(self.measured) >= self.lives:
            raise UnreachableError(f"{self.name} cannot be reached")
        self.measured.append((workload, knobs))
        return imagined(workload, knobs)


def search(boards, trials=24, said=None):
    crowd, kept = Boards(boards, (said if said is not None else []).append), []
    tune(LAYERS, V4, trials, [], crowd.measure, kept.extend, spread=crowd.spread)
    return kept


def settings(kept):
    return {(str(r.workload), tuple(r.knobs.items())) for r in kept}


def test_one_board_is_searched_as_ever_and_many_find_the_same():
    alone = []
    tune(LAYERS, V4, 24, [], imagined, alone.extend)
    assert search([Imagined("a")]) == alone
    assert settings(search([Imagined(name) for name in "abc"])) == settings(alone)


def test_boards_measure_at_the_same_time():
    together = threading.Barrier(2)

    class Waiting(Imagined):
        def measure(self, workload, knobs):
            together.wait(30)
            return super().measure(workload, knobs)

    crowd = [Waiting("a"), Waiting("b")]
    assert len(search(crowd, 8)) == 8 * len(LAYERS)
    assert all(board.measured for board in crowd)


def test_a_board_that_dies_loses_nothing_and_the_others_go_on():
    said, crowd = [], [Imagined("a"), Imagined("b", lives=5), Imagined("c")]
    kept = search(crowd, said=said)
    assert len(kept) == len(settings(kept)) == 24 * len(LAYERS)
    assert len(crowd[1].measured) == 5
    assert said == ["b cannot be reached; 2 left"]


def test_where_all_are_gone_one_line_says_so_and_what_was_measured_is_kept():
    crowd = Boards([Imagined("a", lives=6), Imagined("b", lives=6)])
    kept = []
    with pytest.raises(KernelError, match=r"^no board is left: [ab] cannot be reached$"):
        tune(LAYERS, V4, 24, [], crowd.measure, kept.extend, spread=crowd.spread)
    assert len(kept) == 12


def test_what_the_options_stand_for(ssh):  # noqa: F811
    assert [type(b) for b in reach(host(), [], None, None)] == [LocalRunner]
    assert [type(b) for b in reach(host(), ["ssh:pi@a", "env", "env"], None, None)] == [RemoteRunner, RemoteRunner]
    for words, tracker, key in (
        (["rpc"], None, "k"),
        (["rpc"], "a:1", None),
        (["env"], "a:1", "k"),
        ([], None, "k"),
    ):
        with pytest.raises(KernelError, match="--runner rpc, --tracker HOST:PORT and --key KEY go together"):
            reach(host(), words, tracker, key)


@pytest.mark.parametrize("tracker", ["nowhere", "a:b", ":1", "a:99999"])
def test_what_is_no_tracker_s_address_is_said(tracker):
    with pytest.raises(KernelError, match="give HOST:PORT"):
        runners(host(), tracker, "k")


def test_a_gpu_behind_a_tracker_is_refused():
    with pytest.raises(KernelError, match="tx2: kernels for GPUs cannot be timed through a tracker yet"):
        runners(device("tx2"), "localhost:1", "k")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_tracker_that_is_not_there_is_one_line():
    port = free_port()
    with pytest.raises(KernelError, match=f"^no RPC tracker at 127.0.0.1:{port}: Connection refused$"):
        runners(host(), f"127.0.0.1:{port}", "k")


@pytest.fixture
def farm():
    """(tracker's address, start a server under a key): TVM's own, on this machine; all ended at the end."""
    started = []

    def start(module, *words):
        command = [sys.executable, "-m", f"tvm.exec.{module}", "--host", "127.0.0.1", *map(str, words)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, start_new_session=True, **quiet))
        return started[-1]

    def soon(ready):
        for _ in range(600):
            try:
                if ready():
                    return
            except (OSError, KernelError):
                pass
            time.sleep(0.1)
        raise AssertionError("TVM's tracker or server did not start within a minute")

    address = ("127.0.0.1", free_port())
    start("rpc_tracker", "--port", address[1], "--port-end", address[1] + 1)
    soon(lambda: offered(address) == [])

    def serve(key):
        before, port = offered(address).count(key), free_port()
        server = start(
            "rpc_server", "--port", port, "--port-end", port + 1, "--tracker", f"127.0.0.1:{address[1]}", "--key", key
        )
        soon(lambda: offered(address).count(key) > before)
        return server

    yield f"127.0.0.1:{address[1]}", serve
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_boards_behind_tvm_s_own_tracker(farm, zoo, tmp_path):
    tracker, serve = farm
    with pytest.raises(KernelError, match=f"{tracker}: no board under 'k'; it has none at all"):
        runners(host(), tracker, "k")
    servers = [serve("k"), serve("k")]
    with pytest.raises(KernelError, match=r"no board under 'other'; it has k"):
        runners(host(), tracker, "other")

    found = runners(host(), tracker, "k")
    assert len(found) == 2
    with found[0] as one, found[1] as two:
        for board in (one, two):
            record = board.measure(WORKLOAD, target_of(host()).default(WORKLOAD))
            assert record.error is None
            assert len(record.seconds) == 9
            assert all(0 < seconds < 1 for seconds in record.seconds)
            assert (record.provenance, record.machine) == ("measured", Machine(here().processor, f"k of {tracker}"))
        assert "this schedule has" in one.measure(WORKLOAD, {"tile_h": 3}).error
        os.killpg(servers[0].pid, signal.SIGKILL)
        for board in (one, two):  # they share the one that is left
            assert board.measure(WORKLOAD, target_of(host()).default(WORKLOAD)).seconds

    words = ("--runner", "rpc", "--tracker", tracker, "--key", "k", "--trials", "1", "--log", "x.jsonl")
    code, _, err = zoo("tune", *words)
    assert code == 0, err
    records, _ = read(tmp_path / "x.jsonl")
    assert records
    assert all(record.seconds for record in records)
    os.killpg(servers[1].pid, signal.SIGKILL)
    with found[0] as board, pytest.raises(UnreachableError, match=f"k of {tracker}: a board is gone"):
        board.measure(WORKLOAD, target_of(host()).default(WORKLOAD))
    assert "no board under 'k'; it has none at all" in complaint(zoo("tune", *words))
