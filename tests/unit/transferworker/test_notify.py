"""Telling who watches: systemd's datagrams, and the guardian's pipe."""

import os
import socket

import pytest

from transferworker import notify


@pytest.mark.parametrize("address", ["{tmp}/notify", "@salt-transfer-test-{pid}"])
def test_systemd_hears_ready_and_alive(tmp_path, address):
    address = address.format(tmp=tmp_path, pid=os.getpid())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0"))
        told = notify.notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "90000000"}, -1)
        told.ready()
        told.alive()
        assert [systemd.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]


def test_a_guardian_hears_ready_and_alive():
    reading, writing = os.pipe()
    told = notify.notifier({}, writing)
    told.ready()
    told.alive()
    assert os.read(reading, 100) == notify.READY + notify.ALIVE
    os.close(reading)
    os.close(writing)


def test_a_guardian_that_is_gone_is_no_trouble():
    reading, writing = os.pipe()
    os.close(reading)
    told = notify.notifier({}, writing)
    told.ready()
    told.alive()
    os.close(writing)


def test_a_guardian_that_reads_nothing_holds_up_nobody():
    reading, writing = os.pipe()
    told = notify.notifier({}, writing)
    for _ in range((1 << 20) // len(notify.ALIVE)):
        told.alive()
    assert os.read(reading, len(notify.ALIVE)) == notify.ALIVE
    os.close(reading)
    os.close(writing)


def test_the_pipe_is_not_handed_on_to_commands():
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    told = notify.notifier({}, writing)
    assert not os.get_inheritable(writing)
    told.ready()
    os.close(reading)
    os.close(writing)
