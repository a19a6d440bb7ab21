"""Silence is that nothing is acknowledged; a reader that does not read is not silent."""

import socket

from datamover.engine.pulse import is_silent


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
        far.close()
