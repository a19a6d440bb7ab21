"""What statements have made of a server comes back with it."""

from types import SimpleNamespace

import pytest

from replicahost import running
from tests.unit.replicaplan.facts import channel


class Server:
    """Remembers what it was told."""

    def __init__(self):
        self.done = []

    def do(self, statements):
        self.done.append(statements)


@pytest.fixture
def server(monkeypatch):
    """A server with variables and channels to be set by tests."""
    server = Server()
    server.variables, server.channels = {"read_only": "ON", "event_scheduler": "OFF", "port": "3306"}, [channel()]
    monkeypatch.setattr(running.discovery, "variables", lambda _server: server.variables)
    monkeypatch.setattr(running.discovery, "replication", lambda _server: server.channels)
    return server


def note(server, runs=True):
    return running.note(SimpleNamespace(running=runs, server=server))


def test_what_a_restart_forgets_is_noted(server):
    assert note(server) == {
        "variables": {"read_only": "ON", "event_scheduler": "OFF"},
        "channels": [{"name": "", "io": True, "sql": True}],
    }
    assert note(server, runs=False) is None


def test_it_starts_read_only_from_its_first_moment_on(server):
    assert running.options(note(server)) == ["--read-only=ON", "--event-scheduler=OFF"]


def test_replication_that_a_person_stopped_is_not_started(server):
    server.channels = [channel(sql="No")]
    assert running.options(note(server))[-1] == "--skip-slave-start"


def test_replication_that_an_error_ended_shows_it_again(server):
    """Else it would look as if a person had stopped it, and nobody would repair it."""
    server.channels = [channel(io="No", io_errno=1236)]
    assert "--skip-slave-start" not in running.options(note(server))
    running.restore(server, note(server))
    assert server.done == []


def test_what_the_options_could_not_say_is_said_by_statements(server):
    server.channels = [channel(sql="No")]
    was = note(server)
    server.variables = {"read_only": "OFF", "event_scheduler": "OFF"}
    server.channels = [channel(io="No", sql="No")]
    running.restore(server, was)
    assert server.done == [
        "SET GLOBAL read_only='ON'",
        "SET @@default_master_connection=''; STOP SLAVE; START SLAVE IO_THREAD;",
    ]


def test_what_is_as_it_was_is_left_alone(server):
    running.restore(server, note(server))
    assert server.done == []
