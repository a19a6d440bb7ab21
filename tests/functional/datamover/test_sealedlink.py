"""Sealed bulk connections over real sockets: whatever is cut, changed or made up breaks them and nothing else."""

import os
import socket
import threading

import pytest

from datamover.engine import sealing
from datamover.engine.link import EndOfStream
from datamover.engine.sealedlink import SealedLink
from datamover.engine.stop import Stop
from datamover.engine.terms import Terms
from datamover.wire import Hello, Knock, Reader
from tests.functional.datamover.ends import Ends, Guess, relayed

SECRET = os.urandom(32)


@pytest.fixture
def pair():
    """(who knocked, who was knocked at)."""
    ours, theirs = socket.socketpair()
    stop = Stop()
    links = SealedLink(ours, SECRET, sealing.OUT, stop), SealedLink(theirs, SECRET, sealing.BACK, stop)
    yield links
    for link in links:
        link.close()


def test_bytes_arrive_in_whatever_portions_they_are_asked_for(pair):
    near, far = pair
    texts = [os.urandom(size) for size in (1, 44, 5000, 700_000)]
    sending = threading.Thread(target=lambda: [near.send(text) for text in texts])
    sending.start()
    filled = bytearray(30)
    far.fill(memoryview(filled))
    got = bytes(filled) + b"".join(bytes(far.take(size)) for size in (15, 4000, 1000, 0, 600_000, 100_000))
    sending.join()
    assert got == b"".join(texts)


def test_both_ways_are_sealed(pair):
    near, far = pair
    near.send(b"hello")
    assert bytes(far.take(5)) == b"hello"
    far.send(b"welcome")
    assert bytes(near.take(7)) == b"welcome"


def test_what_travels_shows_nothing(pair):
    near, far = pair
    near.send(b"nothing of this" * 100)
    assert b"nothing" not in far.socket.recv(100_000)


def test_a_close_in_a_record_is_an_end_that_was_not_said(pair):
    near, far = pair
    record = bytes(sealing.Sealer(SECRET, sealing.OUT).seal(b"half of it"))
    near.socket.send(record[:-1])
    near.finish_sending()
    with pytest.raises(EndOfStream):
        far.take(4)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\1" + bytes(17)])
def test_garbage_breaks_it(pair, garbage):
    near, far = pair
    near.socket.send(garbage)
    with pytest.raises(sealing.BrokenSeal):
        far.take(1)


# At the door of a destination


def test_who_knocks_with_a_token_that_was_never_given_is_a_stranger(root, folder):
    ends = Ends(root, folder)

    def intrude():
        with socket.create_connection(("127.0.0.1", ends.port)) as stranger:
            stranger.sendall(Knock(token=os.urandom(32)).encode())
            assert stranger.recv(1) == b""

    ends.beta.at_phase("proved", intrude)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert "knocked with no valid token" in ends.beta.told("stranger")[0]["why"]


def test_who_repeats_a_token_that_was_seen_on_the_way_gets_nowhere(root, folder):
    """The token of a Knock can be read by others; without the secret it opens nothing."""
    ends, tried = Ends(root, folder), threading.Event()

    def tamper(number, data, at):
        if number == 1 and at == 0:
            with socket.create_connection(("127.0.0.1", ends.port)) as stranger:
                hello = Terms.of(ends.alpha.spec).hello(Guess(), "bulk", 1, os.urandom(32))
                knock = data[: len(Knock(token=bytes(32)).encode())]
                stranger.sendall(knock + bytes(sealing.Sealer(os.urandom(32), sealing.OUT).seal(hello.encode())))
                assert stranger.recv(1) == b""
                tried.set()
        return data

    relayed(ends, tamper)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert tried.is_set() and "sealed by somebody else" in ends.beta.told("stranger")[0]["why"]


def test_a_bulk_connection_shows_its_token_and_nothing_else(root, folder):
    seen = {}

    def tamper(number, data, at):
        seen.setdefault(number, bytearray()).extend(data)
        return data

    ends = Ends(root, folder)
    relayed(ends, tamper)
    sent, _ = ends.run()
    assert sent.error is None and sorted(seen) == [0, 1]
    reader = Reader(Knock)
    reader.feed(bytes(seen[1][: len(Knock(token=bytes(32)).encode())]))
    assert [type(message) for message in reader.messages()] == [Knock]
    for secret in (b"alpha", b"small", Hello.PREFIX, (root / "large").read_bytes()[:64]):
        assert secret not in seen[1]
