"""Telling the starter: systemd's datagrams, and the pipe."""

import os
import socket

import pytest

from transferworker import notify


@pytest.mark.parametrize("address", ["{tmp}/notify", "@salt-transfer-test-{pid}"])
def test_systemd_hears_ready_alive_and_stopping(tmp_path, address):
    address = address.format(tmp=tmp_path, pid=os.getpid())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0"))
        told = notify.notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "90000000"}, -1)
        told.ready()
        told.alive()
        told.stopping()
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_the_pipe_says_ready_and_ends():
    reading, writing = os.pipe()
    told = notify.notifier({}, writing)
    told.ready()
    told.alive()
    told.stopping()
    assert os.read(reading, 100) == notify.READY
    assert os.read(reading, 100) == b""
    os.close(reading)


def test_a_starter_that_is_gone_is_no_trouble():
    reading, writing = os.pipe()
    os.close(reading)
    notify.notifier({}, writing).ready()


def test_the_pipe_is_not_handed_on_to_commands():
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    told = notify.notifier({}, writing)
    assert not os.get_inheritable(writing)
    told.ready()
    os.close(reading)
