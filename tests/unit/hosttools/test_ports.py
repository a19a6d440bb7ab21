import os
import socket

import psutil
import pytest

from hosttools import ports
from hosttools.errors import BadPorts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4400", range(4400, 4401)),
        (4400, range(4400, 4401)),
        ("4400-4499", range(4400, 4500)),
        (" 1 - 65535 ", range(1, 65536)),
    ],
)
def test_a_port_and_a_range_are_read(text, found):
    assert ports.parse(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "http", "0", "65536", "1-65536", "4499-4400", "4400-", "-4400", "4400,4401", "4400-4410-4420", None, 4.5],
)
def test_what_names_no_ports_is_refused(text):
    with pytest.raises(BadPorts, match="names no ports"):
        ports.parse(text)


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_listener_is_found_with_its_process(listening):
    (found,) = ports.listeners([listening])
    assert (found.address, found.port, found.pid) == ("127.0.0.1", listening, os.getpid())
    assert found.process == psutil.Process().name()
    assert found.user == psutil.Process().username()


def test_a_port_nobody_listens_on_has_no_listener(listening):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert ports.listeners([bound.getsockname()[1]]) == []


def test_a_process_that_ended_meanwhile_is_unknown(listening, monkeypatch):
    def gone(pid):
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr(psutil, "Process", gone)
    (found,) = ports.listeners([listening])
    assert (found.process, found.user) == (None, None)
