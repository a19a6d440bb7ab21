"""Silence is that nothing is acknowledged; a reader that does not read is not silent."""

import socket

from datamover.engine.pulse import is_silent, pushed_back
from tests.support.waiting import eventually


def test_a_reader_that_does_not_read_is_not_silent():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as near:
        far, _ = listener.accept()
        near.setblocking(False)
        assert not is_silent(near, 0)
        try:
            while near.send(bytes(65536)):
                pass
        except BlockingIOError:
            pass
        assert not is_silent(near, 5)
        assert eventually(lambda: pushed_back(near) > 0.1)
        far.close()


def test_who_reads_all_that_comes_pushes_nothing_back():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as near:
        far, _ = listener.accept()
        for _ in range(100):
            near.sendall(bytes(1000))
            far.recv(1000)
        assert pushed_back(near) == 0
        far.close()
