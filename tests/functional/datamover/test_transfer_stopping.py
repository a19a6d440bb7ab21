"""Stopping in each phase, stalls, slow peers, bounded memory."""

import os
import threading
from pathlib import Path

import pytest

from datamover import wire
from datamover.disk.staging import Staging
from datamover.engine.receiver import Receiver
from datamover.errors import Cancelled, PeerFailed, ProtocolError, SealInvalid, Stalled
from tests.functional.datamover.ends import Ends, OwnProcess, Running, refused
from tests.functional.datamover.networks import deaf_port

MIB = 1024 * 1024


# Cancel


@pytest.mark.parametrize("phase", ["connecting", "proved", "moving", "verifying"])
def test_the_source_can_be_stopped_in_each_phase(root, folder, phase):
    ends = Ends(root, folder, stall_timeout=1.5)
    ends.alpha.at_phase(phase, lambda: ends.alpha.stop.set(Cancelled("cancelled by a test")))
    sent, received = ends.run()
    if phase == "verifying" and received.error is None:
        return  # It was published before the word reached it.
    assert isinstance(sent.error, Cancelled) and sent.result == "cancelled"
    assert isinstance(received.error, Stalled if phase == "connecting" else PeerFailed)
    assert ends.sealed == []


@pytest.mark.parametrize("phase", ["proved", "moving", "verifying", "sealed"])
def test_the_destination_can_be_stopped_in_each_phase(root, folder, phase):
    ends = Ends(root, folder)
    ends.beta.at_phase(phase, lambda: ends.beta.stop.set(Cancelled("cancelled by a test")))
    source_error, destination_error = refused(ends)
    assert isinstance(destination_error, Cancelled)
    assert isinstance(source_error, PeerFailed) and source_error.text == "beta: cancelled by a test"


def test_a_destination_that_waits_for_its_source_can_be_stopped(root, folder):
    ends = Ends(root, folder)
    receiving = Running(ends.receiver().run)
    ends.beta.stop.set(Cancelled("cancelled by a test"))
    assert isinstance(receiving.result(60).error, Cancelled)


def test_a_source_that_waits_for_an_answer_can_be_stopped(root, folder):
    ends = Ends(root, folder)
    sending = Running(ends.sender().run)
    with ends.listener.accept()[0]:
        ends.alpha.stop.set(Cancelled("cancelled by a test"))
        assert isinstance(sending.result(60).error, Cancelled)


def test_a_source_whose_connection_is_not_taken_can_be_stopped(root, folder):
    ends = Ends(root, folder)
    with deaf_port() as port:
        ends.roster["members"][1]["port"] = port
        sending = Running(ends.sender().run)
        ends.alpha.stop.set(Cancelled("cancelled by a test"))
        assert isinstance(sending.result(60).error, Cancelled)


def test_publishing_cannot_be_stopped_half_way(root, folder):
    ends = Ends(root, folder)
    ends.beta.at_phase("publishing", lambda: ends.beta.stop.set(Cancelled("too late")))
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert ends.sealed == [True]


def test_stopping_before_the_start_does_nothing_at_all(root, folder):
    ends = Ends(root, folder)
    for end in (ends.alpha, ends.beta):
        end.stop.set(Cancelled("never began"))
    source_error, destination_error = refused(ends)
    assert isinstance(source_error, Cancelled) and isinstance(destination_error, Cancelled)


# Stall and slowness


class Stuck(Staging):
    """A disk that hangs until the test lets it go."""

    release = threading.Event()

    def write(self, *args):
        assert self.release.wait(60)
        return super().write(*args)


def test_a_peer_that_lives_but_does_nothing_ends_by_stall(root, folder, monkeypatch):
    """Heartbeats go on all the time; they are not progress."""
    monkeypatch.setattr("datamover.engine.control.PARTING", 0.2)
    monkeypatch.setattr("datamover.engine.session.BEAT", 0.2)
    ends = Ends(root, folder, staging=Stuck, stall_timeout=1)
    Stuck.release.clear()
    ends.beta.spec["settings"]["stall_timeout"] = 60
    receiving = Running(ends.receiver().run)
    error = ends.sender().run().error
    Stuck.release.set()
    assert isinstance(error, Stalled) and error.retryable
    assert "nothing moved for 1 s" in error.text and "beta last said it was moving" in error.text
    assert isinstance(receiving.result().error, PeerFailed)


class Slow(Staging):
    """Each piece takes a good part of the stall timeout."""

    pause = threading.Event()

    def write(self, *args):
        self.pause.wait(0.3)
        return super().write(*args)


@pytest.mark.slow
def test_a_slow_peer_is_no_stall(root, folder):
    ends = Ends(root, folder, staging=Slow, stall_timeout=2)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert sent.seconds["total"] > 2


class Pausing(Receiver):
    """Says what its terms do not contain."""

    def _let_source_in(self):
        super()._let_source_in()
        self._say(wire.Pause(paused=True))


def test_a_peer_that_says_what_was_not_agreed_on_is_refused(root, folder):
    ends = Ends(root, folder, receiver=Pausing)
    sent, received = ends.run()
    assert isinstance(sent.error, ProtocolError) and "was not agreed on" in sent.error.text
    assert isinstance(received.error, PeerFailed)


class AdmittingTwice(Receiver):
    """Admits each connection once more than there is need for."""

    def _say(self, message):
        super()._say(message)
        if isinstance(message, wire.Admit):
            super()._say(message)


def test_a_connection_is_admitted_once(root, folder):
    sent, _ = Ends(root, folder, receiver=AdmittingTwice).run()
    assert isinstance(sent.error, ProtocolError) and "connection 1 of stream 1 was admitted" in sent.error.text


class Boasting(Receiver):
    """Says that it verified what it does not have."""

    def _check_seal(self, seal):
        super()._check_seal(seal)
        self._root = bytes(32)


def test_the_source_believes_no_other_root(root, folder):
    sent, _ = Ends(root, folder, receiver=Boasting).run()
    assert isinstance(sent.error, SealInvalid) and "0" * 64 in sent.error.text


@pytest.mark.parametrize("watched", ["source", "destination"])
def test_memory_stays_bounded(tmp_path, folder, watched):
    """200 MiB go through to a slow disk; the process of each end grows by its buffers only."""
    with open(tmp_path / "big", "wb") as out:
        for _ in range(25):
            out.write(os.urandom(8 * MIB))
    ends = Ends(tmp_path / "big", folder, digest="blake3")
    end = ends.sender() if watched == "source" else ends.receiver()
    with OwnProcess(lambda: growth_of(end.run)) as process:
        other = ends.receiver() if watched == "source" else ends.sender()
        assert other.run().error is None
        assert process.result() < 48 * MIB


def growth_of(work):
    """By how many bytes of memory this process grew at most while it worked, which must go well."""
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    assert work().error is None
    return memory("VmHWM") - before


def memory(name):
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024
