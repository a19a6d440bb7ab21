"""Bulk streams that lose their connections: nothing is lost, nothing comes twice, and nobody tries for ever."""

import os
import threading

import pytest

from datamover.disk.staging import Staging
from datamover.engine import carrier, sealing
from datamover.engine.loads import PIECE
from datamover.engine.sender import Sender
from datamover.engine.terms import Terms
from datamover.errors import ConnectionLost, SourceVanished, Stalled
from datamover.wire import PIECE_PREFIX
from tests.functional.datamover.ends import Ends, Guess, Nth, refused, relayed
from tests.functional.datamover.networks import private_network
from tests.functional.datamover.places import independent_differences, plant, run

MIB = 1024 * 1024
SMALL = 40_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What waits longer and longer between tries waits briefly here."""
    monkeypatch.setattr(carrier, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(carrier, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def mixed(root):
    """Large files, a sparse one and packs of small ones."""
    plant(root, {"more": {f"f{number:03}": os.urandom(SMALL) for number in range(120)}, "zweite": os.urandom(9 * MIB)})
    with open(root / "sparse", "wb") as out:
        out.truncate(6 * MIB)
    return root


def cut_at(places):
    """Cut each of these connections (by number, control is 0) when so many bytes were passed on."""

    def tamper(number, data, at):
        place = places.get(number)
        if place is None or at + len(data) < place:
            return data
        return data[: place - at] if at < place else None

    return tamper


def arrived(ends):
    """Run; demand that everything arrived equal and that both ends counted the same; return both outcomes."""
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert sent.root == received.root and ends.sealed == [True]
    assert independent_differences(ends.root.decode(), ends.data) == []
    for source, destination in zip(sent.streams, received.streams, strict=True):
        assert (source["bytes"], source["pieces"]) == (destination["bytes"], destination["pieces"])
    assert sent.moved_bytes == received.moved_bytes
    return sent, received


def connections(outcome):
    return [stream["connections"] for stream in outcome.streams]


CUTS = {
    "in a piece": dict.fromkeys((1, 2, 3), 2 * MIB + 1234),
    "in the first bytes": {1: 10},
    "in the handshake": {2: 200},
    "before a byte": {3: 0},
    "several times": {**dict.fromkeys((1, 2, 3), 2 * MIB), 4: 100, 5: 0, 6: 700_000},
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    "bulk, level", [("sealed", "readback"), ("sealed", "flight"), ("tls", "readback"), ("plain", "readback")]
)
def test_what_is_cut_goes_on_where_it_was(monkeypatch, mixed, folder, cut, bulk, level):
    monkeypatch.setattr(sealing, "available", lambda: bulk == "sealed")
    ends = Ends(mixed, folder, streams=3, encrypt=bulk != "plain", verify=level)
    relayed(ends, cut_at(CUTS[cut]))
    sent, received = arrived(ends)
    assert sum(connections(sent)) > 3
    assert {each["stream"] for each in ends.alpha.told("stream-lost")} <= {1, 2, 3}


def hello_size(ends):
    return len(Terms.of(ends.alpha.spec).hello(Guess(), "bulk", 1, os.urandom(32)).encode())


@pytest.mark.parametrize("pieces, extra", [(0, 0), (2, 0), (2, 5), (2, 44), (2, 500_000)])
def test_a_cut_even_exactly_between_pieces_is_noticed(root, folder, pieces, extra):
    os.unlink(root / "small")
    os.unlink(root / "dir" / "last")
    ends = Ends(root, folder, encrypt=False)
    relayed(ends, cut_at({1: hello_size(ends) + pieces * (PIECE_PREFIX + PIECE) + extra}))
    sent, received = arrived(ends)
    assert connections(sent) == [2]
    assert received.streams[0]["pieces"] == 24


def test_a_stream_alone_goes_on_too_however_often_it_is_cut(mixed, folder):
    ends = Ends(mixed, folder)
    relayed(ends, cut_at({number: 3 * MIB + number for number in range(1, 9)}))
    sent, received = arrived(ends)
    assert connections(sent) == connections(received) and connections(sent)[0] > 8
    assert received.moved_bytes < 30 * MIB


def test_all_bulk_connections_cut_at_once(mixed, folder):
    broken = threading.Event()

    def tamper(number, data, at):
        if number == 2 and at > MIB // 16:
            broken.set()
        return None if broken.is_set() and 1 <= number <= 4 else data

    ends = Ends(mixed, folder, streams=4)
    relayed(ends, tamper)
    sent, _ = arrived(ends)
    assert sum(connections(sent)) > 4


def test_the_others_carry_on_while_one_cannot_be_made(mixed, folder):
    """The fourth is cut, and no later one is let through before the first three have carried half of all."""
    ends = Ends(mixed, folder, streams=4)
    carried = {}

    def tamper(number, data, at):
        carried[number] = at + len(data)
        half = sum(carried.get(each, 0) for each in (1, 2, 3)) > 13 * MIB
        return None if number == 4 or (number > 4 and not half) else data

    relayed(ends, tamper)
    sent, _ = arrived(ends)
    assert sum(connections(sent)) > 4


@pytest.mark.parametrize("bulk", ["sealed", "tls"])
def test_a_bit_flipped_in_flight_with_encryption_costs_a_connection_and_nothing_else(monkeypatch, mixed, folder, bulk):
    monkeypatch.setattr(sealing, "available", lambda: bulk == "sealed")

    def flip(number, data, at):
        if number == 1 and at <= 3 * MIB < at + len(data):
            data = bytearray(data)
            data[3 * MIB - at] ^= 1
        return data

    ends = Ends(mixed, folder)
    relayed(ends, flip)
    sent, _ = arrived(ends)
    assert connections(sent) == [2]


def test_a_file_that_changed_before_it_could_be_sent_again_begins_again(root, folder):
    """Its pack is lost on the way, and so is what it was."""
    plant(root, {"more": {f"f{number:03}": os.urandom(SMALL) for number in range(60)}})
    os.unlink(root / "large")

    def tamper(number, data, at):
        if number != 1 or at + len(data) < 300_000:
            return data
        (root / "more" / "f001").write_bytes(os.urandom(SMALL + 5))
        (root / "more" / "f002").write_bytes(b"now small")
        return None

    ends = Ends(root, folder)
    relayed(ends, tamper)
    sent, received = arrived(ends)
    assert sent.retried_entries == received.retried_entries == 2
    assert received.bytes == 58 * SMALL + SMALL + 5 + 9 + 9


def test_a_file_that_vanished_before_it_could_be_sent_again_is_named(root, folder):
    plant(root, {"more": {f"f{number:03}": os.urandom(SMALL) for number in range(60)}})
    os.unlink(root / "large")

    def tamper(number, data, at):
        if number != 1 or at + len(data) < 300_000:
            return data
        (root / "more" / "f001").unlink(missing_ok=True)
        return None

    ends = Ends(root, folder)
    relayed(ends, tamper)
    error, _ = refused(ends)
    assert isinstance(error, SourceVanished) and "more/f001" in error.text


def test_when_no_bulk_connection_can_be_made_the_stall_timeout_decides_and_says_why(mixed, folder):
    ends = Ends(mixed, folder, streams=2, stall_timeout=1.5)
    relayed(ends, lambda number, data, at: data if number == 0 else None)
    for error in refused(ends):
        assert isinstance(error, Stalled) or error.evidence["name"] == "stalled"
    assert len(ends.alpha.told("stream-lost")) > 2


def test_sending_the_same_again_and_again_is_no_progress(mixed, folder):
    """Each connection carries a good part of a piece, and none a whole one."""
    ends = Ends(mixed, folder, stall_timeout=1.5)
    relayed(ends, cut_at(dict.fromkeys(range(1, 10000), 400000)))
    error, _ = refused(ends)
    assert isinstance(error, Stalled) or error.evidence["name"] == "stalled"


def test_control_that_is_lost_ends_it(mixed, folder):
    ends = Ends(mixed, folder, streams=2)
    relayed(ends, cut_at({0: 8000}))
    assert any(isinstance(error, ConnectionLost) for error in refused(ends))


# In a network whose firewall drops or rejects


class AtPiece(Staging):
    """Calls `action` when a good part has arrived."""

    action = None

    def write(self, *args):
        self.nth = getattr(self, "nth", None) or Nth(10, self.action)
        self.nth()
        return super().write(*args)


def obstructed(monkeypatch, mixed, folder, obstruct, **settings):
    """Two streams; `obstruct(source port of one)` is called when a part has arrived."""
    ports = []
    opened = Sender._open_stream

    def open_stream(self, *args):
        link = opened(self, *args)
        ports.append(link.socket.getsockname()[1])
        return link

    monkeypatch.setattr(Sender, "_open_stream", open_stream)
    run("nft", "add", "table", "inet", "test")
    run("nft", "add chain inet test in { type filter hook input priority 0; }")
    staging = type("Obstructed", (AtPiece,), {"action": staticmethod(lambda: obstruct(ports[0]))})
    return Ends(mixed, folder, staging=staging, streams=2, **settings)


@pytest.mark.root
@pytest.mark.parametrize("verdict", ["drop", "reject with tcp reset"])
@private_network
def test_one_stream_that_a_firewall_drops_or_rejects_is_made_again(monkeypatch, mixed, folder, verdict):
    def obstruct(port):
        run("nft", f"add rule inet test in tcp sport {port} {verdict}")

    sent, _ = arrived(obstructed(monkeypatch, mixed, folder, obstruct, stall_timeout=8))
    assert sum(connections(sent)) == 3


@pytest.mark.root
@private_network
def test_everything_dropped_for_a_while_and_then_healed_goes_on_by_itself(monkeypatch, mixed, folder):
    def obstruct(_port):
        run("nft", f"add rule inet test in tcp dport {ends.port} drop")
        threading.Timer(3, run, ("nft", "flush chain inet test in")).start()

    ends = obstructed(monkeypatch, mixed, folder, obstruct, stall_timeout=16)
    arrived(ends)
