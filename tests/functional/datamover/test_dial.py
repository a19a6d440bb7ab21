"""Connecting, and the words for each way in which it fails: real firewalls in a network of the test's own."""

import errno
import socket

import pytest

from datamover.engine import dial
from datamover.engine.stop import Stop, Stopped
from datamover.engine.terms import Member
from datamover.errors import PeerUnreachable
from tests.functional.datamover.networks import deaf_port, forbid_going_out, private_network

PORT = 4444
REJECTED = "a firewall (perhaps of this host) rejects it ({}, errno {})"


def trouble_with(*addresses, port=PORT, budget=0.3):
    with pytest.raises(PeerUnreachable) as caught:
        dial.connect(Member("beta", "destination", addresses, port, ""), Stop(), budget)
    assert caught.value.evidence == {"host": "beta", "addresses": list(addresses), "port": port}
    assert caught.value.text.startswith("no connection to beta: ")
    return caught.value.text


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_open_port_is_connected(address):
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        member = Member("beta", "destination", (address,), listener.getsockname()[1], "")
        with dial.connect(member, Stop()) as sock:
            assert sock.getpeername()[:2] == listener.getsockname()[:2]


def test_the_next_address_is_tried_when_one_fails():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with dial.connect(Member("beta", "destination", ("127.0.0.2", "127.0.0.1"), port, ""), Stop()) as sock:
            assert sock.getpeername()[0] == "127.0.0.1"


def test_every_address_is_named_with_its_own_trouble():
    with deaf_port() as port:
        text = trouble_with("127.0.0.1", "127.0.0.2", port=port)
    assert f"127.0.0.1:{port} did not answer" in text
    assert f"127.0.0.2:{port} refused the connection" in text


def test_silence_is_told_with_its_seconds_and_a_firewall_is_suspected():
    with deaf_port() as port:
        text = trouble_with("127.0.0.1", port=port)
    assert f"127.0.0.1:{port} did not answer within 0.3 s" in text
    assert "a firewall on either host or between them may drop" in text


def test_a_stop_ends_the_waiting():
    stop = Stop()
    stop.set(ValueError())
    with deaf_port() as port, pytest.raises(Stopped):
        dial.connect(Member("beta", "destination", ("127.0.0.1",), port, ""), stop)


def test_an_ipv6_address_is_written_with_brackets():
    assert f"[::1]:{PORT} refused" in trouble_with("::1")


@pytest.mark.root
@private_network
def test_nobody_at_the_address():
    assert "did not answer within 0.3 s" in trouble_with("10.9.9.7")


@pytest.mark.root
@private_network
def test_no_route():
    text = trouble_with("10.200.0.1")
    assert "no route" in text and f"errno {errno.ENETUNREACH}" in text


@pytest.mark.root
@pytest.mark.parametrize(
    "verdict, words",
    [
        ("drop", "did not answer within 0.3 s: a firewall"),
        ("reject", REJECTED.format("Connection refused", errno.ECONNREFUSED)),
        ("reject with tcp reset", REJECTED.format("Connection refused", errno.ECONNREFUSED)),
        ("reject with icmpx type host-unreachable", REJECTED.format("No route to host", errno.EHOSTUNREACH)),
        ("reject with icmpx type admin-prohibited", REJECTED.format("No route to host", errno.EHOSTUNREACH)),
    ],
)
@private_network
def test_the_own_firewall_forbids_the_way_out(verdict, words):
    forbid_going_out(PORT, verdict)
    for address in ("10.9.9.7", "127.0.0.1"):
        assert words in trouble_with(address)
