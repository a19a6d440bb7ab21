"""A probe over real connections: what it tells, what it leaves, and a peer that is silent, lies, or dies."""

import os
import socket
import threading
import time

import pytest

from datamover.engine import channel, probe
from datamover.engine.probe import ProbeReceiver, ProbeSender
from datamover.engine.progress import Progress
from datamover.engine.reception import Reception
from datamover.engine.stop import Stop
from datamover.engine.throttle import SLICES
from datamover.errors import Cancelled, ConnectionLost, PeerUnreachable, ProtocolError, Stalled
from datamover.wire import Taken
from tests.functional.datamover import ends
from tests.functional.datamover.ends import PORTS, OwnProcess, Running, kill_this_process, member
from tests.functional.datamover.networks import deaf_port
from tests.support.waiting import eventually

GIB = 1024**3


class Probe:
    """Both ends of a probe from alpha to beta; run() gives both outcomes."""

    def __init__(self, seconds=0.3, most=GIB, sender=ProbeSender, receiver=ProbeReceiver, **settings):
        self.identities = {host: channel.make_identity(host) for host in ("alpha", "beta")}
        self.listener = channel.bind(["127.0.0.1"], 0, PORTS)
        self.port = self.listener.getsockname()[1]
        self.roster = {
            "transfer": ends.TRANSFER,
            "attempt": 1,
            "epoch": 1,
            "members": [
                member("alpha", "source", ["127.0.0.1"], None, self.identities["alpha"]),
                member("beta", "destination", ["127.0.0.1"], self.port, self.identities["beta"]),
            ],
        }
        self.stops = {"alpha": Stop(), "beta": Stop()}
        self.stream = {"type": "probe", "seconds": seconds, "bytes": most}
        self.settings = {"verify": "flight", **settings}
        self.kinds = {"alpha": sender, "beta": receiver}

    def end(self, host, **stream):
        role = "source" if host == "alpha" else "destination"
        spec = {**ends.spec(role, host, **self.settings), "stream": {**self.stream, **stream}}
        listens = [self.listener] if host == "beta" else []
        how = spec, self.roster, self.identities[host], *listens, Progress(), self.stops[host]
        return self.kinds[host](*how)

    def run(self):
        receiving = Running(self.end("beta").run)
        sent = self.end("alpha").run()
        return sent, receiving.result()

    def close(self):
        self.listener.close()
        for each in self.identities.values():
            each.close()


@pytest.fixture
def make():
    """make(**changes) -> a Probe, which is closed after the test."""
    made = []

    def make(**changes):
        made.append(Probe(**changes))
        return made[-1]

    yield make
    for each in made:
        each.close()


def refused(made):
    """Run, demand that both ends failed and every thread ended; return both errors."""
    sent, came = made.run()
    assert sent.error is not None and came.error is not None
    nothing_runs()
    return sent.error, came.error


def runs(name):
    return any(each.name == name for each in threading.enumerate())


def nothing_runs():
    assert not [each.name for each in threading.enumerate() if each.name.startswith(("source ", "destination "))]


@pytest.mark.parametrize("encrypt", [True, False])
@pytest.mark.parametrize("streams", [1, 3])
def test_both_ends_tell_the_same_count_and_the_taker_how_fast_it_came(make, encrypt, streams):
    sent, came = make(seconds=1, encrypt=encrypt, streams=streams).run()
    assert (sent.error, came.error, sent.result, came.result) == (None, None, "published", "published")
    assert sent.report["bytes"] == came.report["bytes"] > 0
    assert 0 < sent.report["round_trip"] < 5
    assert came.report["rate"] > 0 and came.report["seconds"] > 0
    nothing_runs()


def test_bytes_bound_a_probe_as_well_as_time(make):
    sent, came = make(seconds=10, most=3_000_000, streams=3).run()
    assert sent.report["bytes"] == came.report["bytes"] == 3_000_000


def test_a_limit_holds_for_a_probe_too(make):
    limit, begun = 2_000_000, time.monotonic()
    sent, came = make(seconds=1.5, limit=limit, streams=2).run()
    most = limit * (time.monotonic() - begun) + 2 * limit / SLICES
    assert (sent.error, came.error) == (None, None)
    assert 0 < came.report["bytes"] <= most


def test_the_lowest_limit_and_many_streams_do_not_make_it_last(make):
    """Else its patience would end it."""
    sent, came = make(seconds=0.5, limit=10_000, streams=16).run()
    assert (sent.error, came.error) == (None, None)


def test_a_probe_that_is_cancelled_ends_at_once_at_both_ends(make):
    made = make(seconds=60)
    receiving, sending = Running(made.end("beta").run), Running(made.end("alpha").run)
    assert eventually(lambda: runs("source stream 1"))
    made.stops["alpha"].set(Cancelled("somebody ended it"))
    assert sending.result().error.name == "cancelled"
    assert isinstance(receiving.result().error, ConnectionLost)
    nothing_runs()


# A peer that does not do its part.


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(probe, "PATIENCE", 0.7)


class Silent(ProbeReceiver):
    """Lets the source in, and then says nothing."""

    def _measure(self):
        self._crew.start("door", self._door.run)
        self._ours(self._reception.control.get()[0])
        self._stop.wait(60)


def test_who_lets_the_source_in_and_says_nothing_ends_the_probe(make, short):
    made = make(receiver=Silent)
    receiving = Running(made.end("beta", seconds=60).run)  # so that it does not lose its patience first
    error = made.end("alpha").run().error
    assert isinstance(error, Stalled) and "beta and the way to it did not finish a probe" in error.text
    made.stops["beta"].set(Cancelled("enough"))
    receiving.result()


class Slow(Reception):
    """Lets no stream in, and does not send it away either."""

    def _use_token(self, link, hello):
        self._stop.wait(60)
        return super()._use_token(link, hello)


def test_who_does_not_finish_opening_a_stream_ends_the_probe(make, short, monkeypatch):
    monkeypatch.setattr(probe, "Reception", Slow)
    made = make(streams=3)
    receiving = Running(made.end("beta", seconds=60).run)
    assert isinstance(made.end("alpha").run().error, Stalled)
    made.stops["beta"].set(Cancelled("enough"))
    receiving.result()
    nothing_runs()


class Deaf(ProbeReceiver):
    """Takes the connections and reads nothing from them."""

    def _take(self, number, link):
        self._stop.wait(60)


def test_who_reads_nothing_ends_the_probe(make, short):
    made = make(receiver=Deaf)
    receiving = Running(made.end("beta", seconds=60).run)
    error = made.end("alpha").run().error
    assert isinstance(error, Stalled) and "beta and the way to it" in error.text
    made.stops["beta"].set(Cancelled("enough"))
    receiving.result()
    nothing_runs()


class Mute(ProbeSender):
    """Opens its streams and sends nothing over them."""

    def _parts(self, noise, most):
        self._stop.wait(60)
        return iter(())


def test_who_sends_nothing_ends_the_probe(make, short):
    made = make(sender=Mute)
    sending = Running(made.end("alpha", seconds=60).run)
    error = made.end("beta").run().error
    assert isinstance(error, Stalled) and "alpha and the way to it" in error.text
    made.stops["alpha"].set(Cancelled("enough"))
    sending.result()
    nothing_runs()


class Hesitant(ProbeSender):
    """Opens one stream, and never the others."""

    def _open(self, admit, sealed):
        if admit.stream == 1:
            return super()._open(admit, sealed)
        self._stop.wait(60)
        raise ConnectionLost("enough")


def test_a_stream_that_came_is_closed_though_the_others_never_come(make):
    made = make(seconds=60, sender=Hesitant, streams=3)
    receiver = made.end("beta")
    sending, receiving = Running(made.end("alpha").run), Running(receiver.run)
    assert eventually(lambda: runs("destination stream 1"))
    made.stops["beta"].set(Cancelled("enough"))
    assert receiving.result().error.name == "cancelled"
    assert [link.socket.fileno() for link in receiver._links] == [-1, -1], "control, and the one stream"
    made.stops["alpha"].set(Cancelled("enough"))
    sending.result()
    nothing_runs()


class Boasting(ProbeReceiver):
    """Claims to have got more than came."""

    def _say(self, control, message):
        more = isinstance(message, Taken)
        super()._say(control, Taken(stream=1, pieces=0, bytes=message.bytes + 1, ended=True) if more else message)


def test_a_peer_that_lies_about_the_count_is_not_believed(make):
    sent, came = refused(make(receiver=Boasting))
    assert isinstance(sent, ProtocolError) and "tells that" in sent.text


class Repeating(ProbeReceiver):
    """Tells twice of one stream and never of the other."""

    def _say(self, control, message):
        super()._say(control, Taken(stream=1, pieces=0, bytes=0, ended=True) if isinstance(message, Taken) else message)


def test_a_peer_that_tells_of_the_wrong_stream_is_not_believed(make):
    sent, _ = refused(make(receiver=Repeating, streams=2))
    assert isinstance(sent, ProtocolError)


def test_a_source_that_sends_more_than_was_agreed_is_stopped(make):
    made = make(seconds=5)
    receiving = Running(made.end("beta", bytes=1_000_000).run)
    sent, came = made.end("alpha").run(), receiving.result()
    assert isinstance(came.error, ProtocolError) and "more than the 1000000 bytes" in came.error.text
    assert sent.error is not None
    nothing_runs()


def test_ends_that_were_told_something_else_than_a_probe_refuse_each_other(make):
    made = make()
    made.stream = {**made.stream, "type": "xtrabackup"}
    receiver = made.end("beta")
    made.stream = {**made.stream, "type": "probe"}
    receiving = Running(receiver.run)
    sent, came = made.end("alpha").run(), receiving.result()
    assert came.error.name == "version-mismatch" and sent.error is not None


# A peer that dies, or is not there.


class Dying(ProbeReceiver):
    def _take(self, number, link):
        link.receive_into(memoryview(bytearray(1000)))
        kill_this_process()


def test_a_destination_that_dies_in_the_middle_is_a_lost_connection(make):
    made = make(seconds=5, receiver=Dying)
    with OwnProcess(made.end("beta").run) as other:
        made.listener.close()
        error = made.end("alpha").run().error
        assert other.result() is None
    assert isinstance(error, ConnectionLost)
    nothing_runs()


class DyingSource(ProbeSender):
    def _parts(self, noise, most):
        yield noise[:1000]
        kill_this_process()


def test_a_source_that_dies_in_the_middle_is_a_lost_connection(make):
    made = make(seconds=5, sender=DyingSource)
    with OwnProcess(made.end("alpha").run) as other:
        error = made.end("beta").run().error
        assert other.result() is None
    assert isinstance(error, ConnectionLost)
    nothing_runs()


def test_a_way_that_is_closed_is_told_as_a_transfer_would_tell_it(make):
    made = make(lease=0.6)
    with deaf_port() as port:
        made.roster["members"][1]["port"] = port
        error = made.end("alpha").run().error
    assert isinstance(error, PeerUnreachable) and "a firewall on either host" in error.text


def test_strangers_do_not_end_a_probe(make):
    made = make()
    receiving = Running(made.end("beta").run)
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(3000)):
        with socket.create_connection(("127.0.0.1", made.port), source_address=("127.0.0.2", 0)) as stranger:
            stranger.sendall(garbage)
    assert (made.end("alpha").run().error, receiving.result().error) == (None, None)

