"""The door over real sockets, on a host that is short of something."""

import errno
import os
import socket
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

from datamover.engine.door import SEATS_FOR_MEMBERS, Door
from datamover.engine.stop import Crew, Lane, Stop

ROSTER = SimpleNamespace(addresses={"127.0.0.1"})


class Short:
    """A listener whose host has no room for the first few connections."""

    def __init__(self, listener, troubles):
        self._listener = listener
        self._troubles = troubles

    def __getattr__(self, name):
        return getattr(self._listener, name)

    def accept(self):
        if self._troubles:
            number = self._troubles.pop()
            raise OSError(number, os.strerror(number))
        return self._listener.accept()


class Opened:
    """A door with its thread; who came in is in `came`."""

    def __init__(self, troubles=()):
        self.stop = Stop()
        self.came, self.told = Lane(1000, self.stop), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        listener = Short(self.listener, list(troubles))
        tell = lambda what, **details: self.told.append(details["why"])  # noqa: E731
        receive = lambda link, member: self.came.put(link)  # noqa: E731
        self.door = Door(listener, None, ROSTER, True, None, receive, tell, self.stop)
        self.crew = Crew("door", self.stop)
        self.crew.start("door", self.door.run)

    def knock(self):
        guest = socket.create_connection(self.listener.getsockname())
        guest.send(b"x")
        return guest

    def close(self):
        for link in self.came.rest():
            link.close()
        self.stop.set(ValueError())
        self.crew.join(10)
        self.listener.close()


@pytest.fixture
def opened():
    doors = []

    def make(*troubles):
        doors.append(Opened(troubles))
        return doors[-1]

    yield make
    for door in doors:
        door.close()


@pytest.mark.parametrize("trouble", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED])
def test_who_finds_no_room_comes_in_when_there_is(opened, trouble):
    door = opened(trouble, trouble)
    with door.knock():
        door.came.get().close()
    assert not door.stop.is_set()


def test_a_thread_that_cannot_start_costs_one_connection_and_no_seat(opened, monkeypatch):
    start = threading.Thread.start

    def fail(thread):
        if thread.name == "greeting":
            raise RuntimeError("can't start new thread")
        start(thread)

    door = opened()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        for _ in range(SEATS_FOR_MEMBERS + 1):
            with door.knock() as guest, suppress(ConnectionResetError):
                assert guest.recv(1) == b""
    with door.knock():
        door.came.get().close()
    assert "can't start new thread" in door.told
