"""The worker's program as systemd runs it: its datagrams, its exit status. systemd itself is the test's socket."""

import contextlib
import os
import socket
import subprocess

import pytest

from datamover.host.rundir import RunDirs
from transferworker import launch

PATIENCE = 30


@pytest.fixture
def systemd(tmp_path):
    """What the worker tells its service manager, datagram by datagram."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(PATIENCE)
        yield listener


@pytest.fixture
def start(transfer, systemd, tmp_path):
    """start(**changes) -> (pair, process) of a destination's worker that this test is the service manager of."""

    def start(**changes):
        pair = transfer(**changes)
        run = RunDirs(pair.destination.state_dir).establish(pair.spec("destination"))
        launch.copy_code(run)
        environment = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "90000000",
            "PATH": os.environ["PATH"],
        }
        argv = launch.command(run, "run")
        process = pair.destination.network.do(lambda: subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL))
        return pair, process

    return start


def told(systemd):
    return systemd.recv(100).decode()


def await_ready(systemd):
    while (word := told(systemd)) != "READY=1":
        assert word == "WATCHDOG=1"  # systemd hears of it only later


def all_told(systemd):
    """What was told until now."""
    systemd.setblocking(False)
    words = []
    with contextlib.suppress(BlockingIOError):
        while True:
            words.append(told(systemd))
    return words


def test_it_is_ready_when_it_can_be_asked_and_alive_to_its_end(start, systemd):
    pair, process = start()
    await_ready(systemd)
    assert pair.destination.ask("status", pair.transfer)["phase"] == "prepared"
    assert [told(systemd) for _ in range(2)] == ["WATCHDOG=1"] * 2
    process.terminate()
    assert process.wait(PATIENCE) == 97
    answer = pair.run("destination").read("attempts/1/answer")
    assert answer["unit"] == f"salt-transfer-{pair.transfer}-1-destination"


def test_one_that_cannot_begin_is_never_ready_and_its_exit_status_is_its_error(start, systemd):
    pair, process = start(dst="/nowhere/at/all")
    assert process.wait(PATIENCE) != 0
    assert "READY=1" not in all_told(systemd)
    assert pair.run("destination").verdict["error"]["code"] == process.returncode


def test_a_second_worker_of_one_run_ends_at_once(start, systemd):
    pair, first = start()
    await_ready(systemd)
    second = subprocess.run(launch.command(pair.run("destination"), "run"), capture_output=True, check=False)
    assert second.returncode == 1 and b"has a worker already" in second.stderr
    assert pair.destination.ask("status", pair.transfer)["alive"]
    first.terminate()
    first.wait(PATIENCE)


@pytest.mark.parametrize("words", [[], ["run"], ["fly", "/tmp"], ["guard", "/tmp"]])
def test_a_command_line_that_is_none_says_what_is(words, transfer):
    pair = transfer().prepare("destination")
    program = [*launch.command(pair.run("destination"))[:-1], *words]
    done = subprocess.run(program, capture_output=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith(b"usage: ")
