"""Tuning a board through a runner: here a made-up ssh that stays on this machine, and an emulator."""

import json
import os
import shutil

import pytest

from zoo.kernels.device import device, host
from zoo.kernels.errors import KernelError
from zoo.kernels.ir.workload import Workload
from zoo.kernels.processor import Machine, here
from zoo.kernels.records import best, per_convolution, read
from zoo.kernels.targets import target_of
from zoo.kernels.tuning import remote
from zoo.kernels.tuning.remote import RemoteRunner

WORKLOAD = Workload.parse("double+add>depthwise5s1-f32-c24-28x28+relu")
HEAD = Workload.parse("head1s1-f32-c16-k1-28x28+relu+double")


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """An ssh that is given what the real one would be, and runs it here."""

    def install(body):
        path = tmp_path / "bin" / "ssh"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"#!/bin/sh\n[ \"$1 $2 $3 $4 $5\" = '-o BatchMode=yes -o ConnectTimeout=10 pi@board' ] || exit 3\n{body}\n"
        )
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(path.parent), prepend=":")

    install('exec sh -c "$6"')
    return install


REPORT = "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0b\nboard: Raspberry Pi 5\ncores: 4"


def only(body):
    """What a board does that says what it is, then this with every kernel."""
    return f"if [ -f known ]; then {body}; else touch known; printf '{REPORT}'; fi"


def measure(workload=WORKLOAD, runner="ssh:pi@board", target=None, **more):
    target = target or host()
    return RemoteRunner(target, runner).measure(workload, target_of(target).default(workload), **more)


def test_seconds_come_back_from_the_board(ssh):
    record = measure()
    assert record.error is None
    assert len(record.seconds) == 9
    assert all(0 < seconds < 1 for seconds in record.seconds)
    assert (record.provenance, record.device) == ("measured", host().name)
    assert record.machine.processor == here().processor
    assert (record.machine.cores, record.machine.l2) == (os.cpu_count(), here().l2)
    assert measure(HEAD).seconds
    assert best([record], host()) == {WORKLOAD: record}


def test_a_board_that_cannot_be_reached_ends_the_run(ssh):
    ssh("echo 'Could not resolve hostname board' >&2; exit 255")
    with pytest.raises(KernelError, match="pi@board cannot be reached: Could not resolve"):
        measure()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("sleep 5", "no answer within 1 s"),
        ("echo 'error: avx512f' >&2; exit 2", "avx512f"),
        ("kill -9 $$", "the program ended with -9"),
        ("echo not-a-number", "could not convert"),
        ("echo 1e-4; echo 1e-4", "2 times came back, not 9"),
        ("true", "0 times came back"),
    ],
)
def test_what_fails_there_costs_one_trial(ssh, body, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ssh(only(body))
    record = measure(limit=1)
    assert record.machine == Machine("cortex-a76", "Raspberry Pi 5", cores=4)
    assert not record.seconds
    assert error in record.error


@pytest.mark.parametrize("runner", ["", "ssh:", "/nowhere/at/all"])
def test_what_is_no_runner_is_said(runner):
    with pytest.raises(KernelError, match=r"give ssh:user@board|No such file"):
        measure(runner=runner)


@pytest.mark.parametrize("body", ["kill -9 $$", "sleep 60", "echo 'error: exec format' >&2; exit 126"])
def test_a_board_that_cannot_say_what_it_is_ends_the_run(ssh, body, monkeypatch):
    monkeypatch.setattr(remote, "LIMIT", 1)
    ssh(body)
    with pytest.raises(KernelError, match="a program sent there does not run"):
        measure()


def test_of_cores_that_the_table_lacks_the_device_s_record_says_what_they_are(ssh):
    ssh("printf 'CPU implementer : 0x4e\nCPU part : 0x003\nboard: Jetson TX2'")  # its Denver cores
    assert RemoteRunner(device("tx2-cpu"), "ssh:pi@board").machine == Machine("cortex-a57", "Jetson TX2")
    assert RemoteRunner(device("aarch64"), "ssh:pi@board").machine == Machine("0x4e-0x003", "Jetson TX2")


def test_a_gpu_is_refused():
    with pytest.raises(KernelError, match="kernels for GPUs cannot be timed through a runner yet"):
        RemoteRunner(device("tx2"), "env")


def test_an_emulator_proves_that_it_runs_and_is_never_taken_for_speed():
    if not shutil.which("qemu-aarch64-static"):
        pytest.skip("qemu-aarch64-static is not installed (Debian: qemu-user-static libc6-arm64-cross)")
    record = measure(runner="qemu-aarch64-static -L /usr/aarch64-linux-gnu", target=device("rpi4"))
    assert record.seconds
    assert record.provenance == "emulated"
    assert best([record], device("rpi4")) == per_convolution([record]) == {}


def test_the_command_tunes_boards_of_which_one_is_not_there(zoo, ssh, tmp_path):
    script = tmp_path / "bin" / "ssh"
    script.write_text(script.read_text().replace("|| exit 3", "|| { echo no route >&2; exit 255; }"))
    runners = ("--runner", "ssh:pi@board", "--runner", "ssh:pi@attic")
    code, out, err = zoo("tune", *runners, "--trials", "1", "--log", tmp_path / "board.jsonl", "--json")
    assert code == 0, err
    assert "pi@attic cannot be reached: no route; 1 left" in err
    records, remarks = read(tmp_path / "board.jsonl")
    assert not remarks
    assert all(record.seconds for record in records)
    assert json.loads(out)["sum_ms"] > 0
