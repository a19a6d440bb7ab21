"""portfinder through Salt's loader, on real sockets."""

import json
import os
import socket

import pytest
from salt.exceptions import CommandExecutionError


@pytest.fixture
def taken():
    """A port of the loopback address on which this process listens; the next ones are free, as far as anybody knows."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_not_free(modules, taken):
    assert modules["portfinder.free"](taken, address="127.0.0.1") == []


def test_a_port_that_somebody_holds_on_one_address_is_not_free_on_all(modules, taken):
    assert modules["portfinder.free"](str(taken)) == []


def test_free_ports_are_found_lowest_first_and_not_kept(modules):
    found = modules["portfinder.free"]("20000-20099", address="127.0.0.1", count=3)
    assert len(found) == 3
    assert found == sorted(found)
    with socket.create_server(("127.0.0.1", found[0])):
        assert found[0] not in modules["portfinder.free"]("20000-20099", address="127.0.0.1", count=100)


def test_the_holder_is_named(modules, taken):
    (found,) = modules["portfinder.holder"](taken)
    assert (found["address"], found["port"], found["pid"]) == ("127.0.0.1", taken, os.getpid())
    assert found["process"]
    assert json.loads(json.dumps(found)) == found


def test_busy_lists_a_range(modules, taken):
    assert taken in [each["port"] for each in modules["portfinder.busy"]("1-65535")]
    assert modules["portfinder.busy"](f"{taken}-{taken}") == modules["portfinder.holder"](taken)


def test_an_address_of_another_host_is_an_error_and_not_a_taken_port(modules):
    with pytest.raises(CommandExecutionError, match="192.0.2.1 is not an address of this host"):
        modules["portfinder.free"]("4400", address="192.0.2.1")


@pytest.mark.parametrize("function", ["free", "holder", "busy"])
def test_what_names_no_ports_is_one_sentence(modules, function):
    with pytest.raises(CommandExecutionError, match="'http' names no ports"):
        modules[f"portfinder.{function}"]("http")
