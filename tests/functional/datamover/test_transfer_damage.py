"""Bytes that are damaged or cut off on the way and on the disk, ends that die, seals that do not fit."""

import dataclasses
import itertools
import os

import pytest

from datamover import wire
from datamover.disk.staging import Staging
from datamover.disk.tree import SourceTree
from datamover.engine import channel
from datamover.engine.intake import Intake
from datamover.engine.sender import Findings
from datamover.engine.supply import Supply
from datamover.errors import (
    ConnectionLost,
    DigestMismatch,
    DiskError,
    LocalError,
    MetadataMismatch,
    PeerFailed,
    ProtocolError,
    SealInvalid,
)
from datamover.manifest import Entry, Kind
from tests.functional.datamover.ends import Disturbed, Ends, Nth, Running, kill_this_process, refused, relayed
from tests.functional.datamover.relay import pass_on

MIB = 1024 * 1024


# Damage on the way and on the disk


class FlipOnWrite(Staging):
    """Writes one bit wrong, after everything of ours has looked at it."""

    def write(self, number, try_, offset, view):
        wrong = bytearray(view)
        if offset == 5 * MIB:
            wrong[1000] ^= 4
        return super().write(number, try_, offset, memoryview(wrong))

    def put_pack(self, files):
        wrong = [(number, try_, memoryview(bytes(view).replace(b"last", b"lost"))) for number, try_, view in files]
        super().put_pack(wrong)
        return files


def test_a_bit_written_wrong_is_found_by_reading_back_and_named(root, folder):
    ends = Ends(root, folder, staging=FlipOnWrite)
    os.unlink(root / "dir" / "last")
    source_error, error = refused(ends)
    assert isinstance(error, DigestMismatch)
    assert error.evidence["path"] == b"large"
    assert (error.evidence["block"], error.evidence["offset"]) == (5, 5 * MIB)
    assert len({error.evidence["here"], error.evidence["source"]}) == 2
    for part in ("large: block 5 (from offset 5242880)", error.evidence["here"], error.evidence["source"]):
        assert part in error.text
    assert isinstance(source_error, PeerFailed) and source_error.text == f"beta: {error.text}"


def test_a_small_file_written_wrong_is_found_by_reading_back(root, folder):
    ends = Ends(root, folder, staging=FlipOnWrite)
    os.unlink(root / "large")
    _, error = refused(ends)
    assert isinstance(error, DigestMismatch) and error.evidence["path"] == b"dir/last"


def test_level_flight_does_not_promise_to_see_what_the_disk_did(root, folder):
    """It digests what was given to the kernel: damage after that is beyond it, and the receipt says so by its level."""
    ends = Ends(root, folder, staging=FlipOnWrite, verify="flight")
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert sent.root == received.root


def test_flight_sees_what_was_damaged_before_the_kernel_got_it(root, folder, monkeypatch):
    take = Intake.take

    def damaged(self, piece, payload):
        if piece.offset == 5 * MIB:
            payload[7] ^= 1
        return take(self, piece, payload)

    monkeypatch.setattr(Intake, "take", damaged)
    _, error = refused(Ends(root, folder, verify="flight"))
    assert isinstance(error, DigestMismatch) and error.evidence["offset"] == 5 * MIB


def flip_at(position):
    """Flip one bit of the second connection, which is the bulk connection."""

    def tamper(number, data, at):
        if number == 1 and at <= position < at + len(data):
            data = bytearray(data)
            data[position - at] ^= 1
        return data

    return tamper


@pytest.mark.parametrize("level", ["readback", "flight"])
def test_a_bit_flipped_in_flight_without_encryption_is_found(root, folder, level):
    ends = Ends(root, folder, encrypt=False, verify=level)
    relayed(ends, flip_at(3 * MIB + 100_000))
    _, error = refused(ends)
    assert isinstance(error, DigestMismatch) and error.evidence["path"] == b"large"


def test_a_relay_alone_does_no_harm(root, folder):
    ends = Ends(root, folder, encrypt=False)
    relayed(ends, pass_on)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)


# Somebody dies


class DyingTree(SourceTree):
    def open(self, entry):
        file = super().open(entry)
        return Dying(file) if entry.name == b"large" else file


class Dying(Disturbed):
    def __init__(self, file):
        super().__init__(file, None)
        self._nth = Nth(7, kill_this_process)

    def read_into(self, offset, view):
        self._nth()
        return self._file.read_into(offset, view)


def test_a_source_that_is_killed_is_noticed_at_once(root, folder):
    ends = Ends(root, folder, tree=DyingTree)
    sent, received = ends.run_apart("source")
    assert sent is None and ends.sealed == []
    assert isinstance(received.error, ConnectionLost) and "alpha" in received.error.text


class DyingStaging(Staging):
    nth = None

    def write(self, *args):
        self.nth = self.nth or Nth(7, kill_this_process)
        self.nth()
        return super().write(*args)


def test_a_destination_that_is_killed_is_noticed_at_once(root, folder):
    ends = Ends(root, folder, staging=DyingStaging)
    sent, received = ends.run_apart("destination")
    assert received is None
    assert isinstance(sent.error, ConnectionLost) and "beta" in sent.error.text


def test_an_error_of_the_destination_reaches_the_source_in_its_words(root, folder):
    class Full(Staging):
        def write(self, *args):
            raise DiskError("the disk of beta is broken", path=b"large")

    source_error, destination_error = refused(Ends(root, folder, staging=Full))
    assert isinstance(destination_error, DiskError)
    assert isinstance(source_error, PeerFailed) and source_error.text == "beta: the disk of beta is broken"
    assert source_error.evidence["name"] == "disk-error"


def test_an_error_of_the_source_reaches_the_destination_in_its_words(root, folder):
    class Broken(SourceTree):
        def walk(self):
            yield from super().walk()
            raise RuntimeError("a bug of ours")

    source_error, destination_error = refused(Ends(root, folder, tree=Broken))
    assert isinstance(source_error, LocalError) and "unexpected RuntimeError: a bug of ours" in source_error.text
    assert isinstance(destination_error, PeerFailed) and "alpha: unexpected RuntimeError" in destination_error.text


def test_wrong_metadata_on_the_disk_publishes_nothing(root, folder):
    class Careless(Staging):
        def apply_metadata(self):
            super().apply_metadata()
            os.chmod(os.path.join(self.path, b"data", b"small"), 0o777)

    _, error = refused(Ends(root, folder, staging=Careless))
    assert isinstance(error, MetadataMismatch) and "small" in error.text


def test_a_publication_that_fails_is_told(root, folder):
    ends = Ends(root, folder)

    def fail():
        raise DiskError("somebody was there first")

    receiver = ends.receiver()
    receiver._on_sealed = fail
    receiving = Running(receiver.run)
    sent = ends.sender().run()
    assert isinstance(receiving.result().error, DiskError)
    assert isinstance(sent.error, PeerFailed) and sent.error.text == "beta: somebody was there first"


# The seal


def test_a_seal_with_another_key_is_refused(root, folder):
    ends = Ends(root, folder)
    sender = ends.sender()
    sender._identity = channel.make_identity("alpha")
    receiving = Running(ends.receiver().run)
    sent, received = sender.run(), receiving.result()
    assert isinstance(received.error, SealInvalid) and isinstance(sent.error, PeerFailed)
    assert ends.sealed == []


def test_a_seal_over_another_root_is_refused(root, folder):
    ends = Ends(root, folder)
    ends.alpha.journal.root = lambda block_size, algorithm: bytes(32)
    _, error = refused(ends)
    assert isinstance(error, SealInvalid) and "alpha sealed" in error.text and "0" * 64 in error.text


def test_a_file_that_is_left_out_is_noticed(root, folder, monkeypatch):
    send = Supply.send
    monkeypatch.setattr(Supply, "send", lambda self, entry: entry if entry.name == b"last" else send(self, entry))
    ends = Ends(root, folder)
    ends.alpha.journal.root = lambda block_size, algorithm: bytes(32)
    _, error = refused(ends)
    assert isinstance(error, ProtocolError) and "dir/last did not come" in error.text


# Pieces that are sound and in the wrong place


@pytest.mark.parametrize(
    "wrong",
    [
        lambda piece: {"offset": piece.offset - piece.length},
        lambda piece: {"offset": piece.offset + piece.length},
        lambda piece: {"offset": 12 * MIB},
        lambda piece: {"offset": 2**62},
        lambda piece: {"entry": 0},
        lambda piece: {"entry": 10**9},
        lambda piece: {"leaf": 1},
    ],
    ids=["replayed", "reordered", "beyond the end", "far away", "of a directory", "of nothing", "of another leaf"],
)
def test_a_piece_in_the_wrong_place_is_refused(root, folder, monkeypatch, wrong):
    put, nth = Supply._put, itertools.count()

    def misplace(self, piece, buffer=None):
        if piece.kind == wire.PieceKind.DATA and next(nth) == 5:
            piece = dataclasses.replace(piece, **wrong(piece))
        put(self, piece, buffer)

    monkeypatch.setattr(Supply, "_put", misplace)
    source_error, error = refused(Ends(root, folder))
    assert isinstance(error, ProtocolError) and isinstance(source_error, PeerFailed)


def test_a_restart_of_what_was_never_told_is_refused(root, folder, monkeypatch):
    finish = Supply.finish

    def finish_with_a_stranger(self):
        finish(self)
        self._restart(Entry(10**6, 0, b"stranger", Kind.FILE, size=1), 2)

    monkeypatch.setattr(Supply, "finish", finish_with_a_stranger)
    _, error = refused(Ends(root, folder))
    assert isinstance(error, ProtocolError) and "only 5 were announced" in error.text


def test_digests_of_another_length_than_was_told_are_refused(root, folder, monkeypatch):
    add = Findings.add

    def add_longer(self, number, try_, content):
        add(self, number, try_, content._replace(length=content.length + 1))

    monkeypatch.setattr(Findings, "add", add_longer)
    ends = Ends(root, folder)
    ends.alpha.journal.root = lambda block_size, algorithm: bytes(32)
    _, error = refused(ends)
    assert isinstance(error, ProtocolError)
