"""The account of what arrives: every order of landing and digesting, and everything that must be refused."""

import threading
from types import SimpleNamespace

import pytest

from datamover.blocks import Content
from datamover.disk.journal import Journal
from datamover.engine import halves
from datamover.engine.ledger import Landing, Ledger, State, difference
from datamover.engine.stop import Stop, Stopped
from datamover.errors import DigestMismatch, ManifestInvalid, ProtocolError
from datamover.manifest import Entry, Kind
from datamover.wire import Piece
from tests.support.memory import traced

BLOCK = 100
TERMS = SimpleNamespace(block_size=BLOCK)
ROOT = Entry(0, 0, b"", Kind.DIRECTORY, 0o755)


def file(number, size, name=b""):
    return Entry(number, 0, name or b"f%d" % number, Kind.FILE, 0o644, size=size)


def content(seed, length=250):
    digests = tuple(bytes((seed, index)) * 16 for index in range(-(-length // BLOCK)))
    return Content(length, digests, bytes((seed,)) * 32)


def piece(number, offset, length, try_=1):
    return Piece(number, try_, offset, length, length)


@pytest.fixture
def stop():
    return Stop()


@pytest.fixture
def journal():
    with Journal("") as journal:
        yield journal


@pytest.fixture
def ledger(journal, stop):
    return Ledger(TERMS, journal, stop)


def announce(ledger, journal, *entries, last=True):
    ledger.check(entries)
    journal.add(entries)
    ledger.announce(entries, last)


def land(ledger, number, try_=1):
    with ledger.completing(number, try_) as current:
        return current


def test_a_file_of_too_many_blocks_is_refused_before_anything_of_it_comes(ledger, journal, monkeypatch):
    monkeypatch.setattr("datamover.blocks.MOST_BLOCKS", 3)
    ledger.check([ROOT, file(1, 3 * BLOCK)])
    with pytest.raises(ManifestInvalid, match="f2: a file of 301 bytes has 4 blocks .* copy it by itself"):
        ledger.check([file(2, 3 * BLOCK + 1)])
    announce_again = ledger.restarting(file(1, 3 * BLOCK + 1), 2)
    journal.add([ROOT, file(1, 3 * BLOCK)])
    ledger.announce([ROOT, file(1, 3 * BLOCK)], last=True)
    with pytest.raises(ManifestInvalid, match="f1: a file of 301 bytes has 4 blocks"), announce_again:
        pass


# Landing


def test_pieces_of_a_block_come_in_order_and_blocks_in_any():
    landing = Landing(file(1, 250), 1, BLOCK)
    for offset, length, frontier in ((100, 60, 0), (0, 100, 100), (200, 50, 100), (160, 40, 250)):
        landing.check(piece(1, offset, length))
        landing.add(piece(1, offset, length))
        assert landing.frontier == frontier
    assert landing.complete


@pytest.mark.parametrize(
    "offset, length",
    [(0, 10), (50, 10), (70, 10), (90, 20), (200, 51), (240, 20), (250, 1), (150, 10), (1000, 1)],
    ids=["again", "overlap", "gap", "over a block", "too long", "beyond", "at the end", "inside", "far away"],
)
def test_a_piece_that_is_not_the_next_of_its_block_is_refused(offset, length):
    landing = Landing(file(1, 250), 1, BLOCK)
    landing.add(piece(1, 0, 60))
    with pytest.raises(ProtocolError, match="is not the next of"):
        landing.check(piece(1, offset, length))


def test_what_is_complete_cannot_be_written_again():
    landing = Landing(file(1, 250), 1, BLOCK)
    landing.add(piece(1, 0, 100))
    with pytest.raises(ProtocolError):
        landing.check(piece(1, 0, 100))


def test_a_landing_that_digests_takes_pieces_in_order_only():
    landing = Landing(file(1, 250), 1, BLOCK, builder=SimpleNamespace(length=0))
    landing.check(piece(1, 0, 100))
    with pytest.raises(ProtocolError):
        landing.check(piece(1, 100, 100))


# Announcing


def test_entries_must_follow_each_other(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 1), last=False)
    with pytest.raises(ManifestInvalid):
        ledger.check([file(3, 1)])


def test_bytes_wait_for_their_announcement(ledger, journal):
    announced = threading.Event()
    waiting = threading.Thread(target=lambda: ledger.await_try(1, 1) and announced.set())
    waiting.start()
    announce(ledger, journal, ROOT, last=False)
    assert not announced.is_set()
    announce(ledger, journal, file(1, 1))
    waiting.join(10)
    assert announced.is_set()


def test_waiting_for_an_announcement_ends_with_the_work(ledger, stop):
    threading.Timer(0.05, stop.set, [ValueError()]).start()
    with pytest.raises(Stopped):
        ledger.await_try(1, 1)


def test_bytes_of_an_entry_beyond_the_list_are_refused(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 1))
    with pytest.raises(ProtocolError, match="only 2 were announced"):
        ledger.await_try(2, 1)


@pytest.mark.parametrize("number", [0, 1])
def test_bytes_for_what_is_no_file_or_complete_are_refused(ledger, journal, number):
    announce(ledger, journal, ROOT, file(1, 250))
    assert land(ledger, 1)
    for attempt in (
        lambda: ledger.awaited([(number, 1, bytes(250))]),
        lambda: ledger.landing(piece(number, 0, 10), lambda: None),
    ):
        with pytest.raises(ProtocolError, match="complete or no file"):
            attempt()


def test_a_packed_file_has_its_announced_length(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 10))
    with pytest.raises(ProtocolError, match="with 9 bytes in a pack"):
        ledger.awaited([(1, 1, bytes(9))])
    assert ledger.awaited([(1, 1, bytes(10))])


def test_a_file_that_comes_in_pieces_cannot_come_in_a_pack_too(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 10))
    ledger.landing(piece(1, 0, 5), lambda: None)
    with pytest.raises(ProtocolError):
        ledger.awaited([(1, 1, bytes(10))])


def test_the_files_of_a_pack_land_together_but_for_void_tries(ledger, journal):
    announce(ledger, journal, ROOT, *(file(number, 1) for number in (1, 2, 3)))
    restart(ledger, journal, file(2, 1), 2)
    pack = [(number, 1, b"x") for number in (1, 2, 3)]
    written = ledger.awaited(pack)
    assert written == [pack[0], pack[2]]
    restart(ledger, journal, file(3, 1), 2)
    assert ledger.landed(written) == [pack[0]]
    assert not ledger.is_landing(1, 1) and ledger.is_landing(3, 2)


def test_a_pack_waits_for_the_announcement_of_each_of_its_files(ledger, journal):
    announced = threading.Event()
    pack = [(1, 1, b"x"), (2, 1, b"yz")]
    waiting = threading.Thread(target=lambda: ledger.awaited(pack) == pack and announced.set())
    waiting.start()
    announce(ledger, journal, ROOT, file(1, 1), last=False)
    assert not announced.is_set()
    announce(ledger, journal, file(2, 2))
    waiting.join(10)
    assert announced.is_set()


# Digests of both ends


@pytest.mark.parametrize("first", [True, False])
def test_a_file_is_verified_when_both_ends_have_the_same_digests(ledger, journal, first):
    announce(ledger, journal, ROOT, file(1, 250))
    land(ledger, 1)
    assert not ledger.digested([(1, 1, content(7))], ours=first)
    with pytest.raises(ProtocolError, match="f1 was sealed without digests"):
        ledger.check_verified()
    assert ledger.digested([(1, 1, content(7))], ours=not first)
    ledger.check_landed()
    ledger.check_verified()


@pytest.mark.parametrize("first", [True, False])
def test_different_digests_name_path_block_offset_and_both(ledger, journal, first):
    announce(ledger, journal, ROOT, file(1, 250))
    ours, theirs = content(7), content(7)
    theirs = Content(250, (theirs.blocks[0], b"\1" * 32, theirs.blocks[2]), theirs.whole)
    ledger.digested([(1, 1, ours if first else theirs)], ours=first)
    with pytest.raises(DigestMismatch) as caught:
        ledger.digested([(1, 1, theirs if first else ours)], ours=not first)
    assert caught.value.evidence == {
        "path": b"f1",
        "entry": 1,
        "block": 1,
        "offset": 100,
        "here": ours.blocks[1].hex(),
        "source": "01" * 32,
    }
    for word in ("f1: block 1 (from offset 100)", ours.blocks[1].hex(), "01" * 32):
        assert word in caught.value.text


def test_the_same_end_cannot_tell_twice(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 250))
    ledger.digested([(1, 1, content(7))], ours=False)
    with pytest.raises(ProtocolError, match="came twice"):
        ledger.digested([(1, 1, content(7))], ours=False)


@pytest.mark.parametrize(
    "number, try_, length, trouble",
    [
        (2, 1, 250, "only 2 were announced"),
        (0, 1, 250, "or no file"),
        (1, 2, 250, "at try 1"),
        (1, 1, 251, "which has 250 bytes"),
    ],
    ids=["unknown", "no file", "later try", "other length"],
)
def test_digests_of_what_was_not_announced_are_refused(ledger, journal, number, try_, length, trouble):
    announce(ledger, journal, ROOT, file(1, 250))
    with pytest.raises(ProtocolError, match=trouble):
        ledger.digested([(number, try_, content(7, length))], ours=False)


def test_digests_of_what_is_verified_are_refused(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 250))
    land(ledger, 1)
    for ours in (True, False):
        ledger.digested([(1, 1, content(7))], ours)
    with pytest.raises(ProtocolError, match="came twice"):
        ledger.digested([(1, 1, content(7))], ours=False)


def test_a_file_that_is_shorter_on_the_disk_is_a_mismatch(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 250))
    land(ledger, 1)
    ledger.digested([(1, 1, content(7))], ours=False)
    with pytest.raises(DigestMismatch, match="100 bytes arrived of the 250"):
        ledger.digested([(1, 1, content(7, 100))], ours=True)


def test_no_more_files_are_open_at_once_than_memory_is_meant_for(ledger, journal, monkeypatch):
    monkeypatch.setattr("datamover.engine.ledger.OPEN_LANDINGS", 2)
    announce(ledger, journal, ROOT, *(file(number, 10) for number in (1, 2, 3)))
    for number in (1, 2, 1):
        ledger.landing(piece(number, 0, 5), lambda: None)
    with pytest.raises(ProtocolError, match="while 2 others are not complete"):
        ledger.landing(piece(3, 0, 5), lambda: None)


def bring(ledger, *pieces):
    for each in pieces:
        ledger.add(ledger.landing(each, lambda: None), each)


def test_no_more_blocks_are_open_at_once_than_memory_is_meant_for(ledger, journal, monkeypatch):
    monkeypatch.setattr("datamover.engine.ledger.OPEN_BLOCKS", 3)
    announce(ledger, journal, ROOT, *(file(number, 10 * BLOCK) for number in (1, 2)))
    bring(ledger, piece(1, 900, 1), piece(1, 500, BLOCK), piece(2, 100, 1), piece(1, 901, 1))
    with pytest.raises(ProtocolError, match="one more block while 3 others are not complete or wait for one before"):
        ledger.landing(piece(2, 200, 1), lambda: None)
    bring(ledger, *(piece(1, block * BLOCK, BLOCK) for block in range(4)))


def test_blocks_that_are_complete_or_void_are_not_counted_as_open(ledger, journal, monkeypatch):
    monkeypatch.setattr("datamover.engine.ledger.OPEN_BLOCKS", 3)
    announce(ledger, journal, ROOT, *(file(number, 4 * BLOCK) for number in (1, 2)))
    for _ in range(3):
        bring(ledger, *(piece(2, block * BLOCK, 1, try_=ledger._tries.get(2, 1)) for block in (1, 2, 3)))
        restart(ledger, journal, file(2, 4 * BLOCK), ledger._tries.get(2, 1) + 1)
    bring(ledger, *(piece(1, block * BLOCK, BLOCK) for block in (3, 2, 1, 0)))
    assert land(ledger, 1)
    bring(ledger, *(piece(2, block * BLOCK, 1, try_=4) for block in (1, 2, 3)))


def test_what_was_never_announced_cannot_begin_again(ledger, journal):
    announce(ledger, journal, ROOT)
    with pytest.raises(ProtocolError, match="only 1 were announced"), ledger.restarting(file(1, 250), 2):
        pass


def test_lengths_and_wholes_are_compared_too():
    text, evidence = difference(content(1, 100), content(1, 250), BLOCK)
    assert text == "100 bytes arrived of the 250 that the source read" and evidence == {"here": 100, "source": 250}
    text, evidence = difference(content(1), Content(250, content(1).blocks, b"\2" * 32), BLOCK)
    assert "the digest of the whole" in text and set(evidence) == {"here", "source"}


@pytest.mark.parametrize("ours_first", [True, False])
def test_digests_that_run_far_ahead_wait_on_the_disk(ledger, journal, ours_first, monkeypatch):
    monkeypatch.setattr(halves, "HELD", 2)
    announce(ledger, journal, ROOT, *(file(number, 250) for number in range(1, 9)))
    for number in range(1, 9):
        land(ledger, number)
        assert not ledger.digested([(number, 1, content(number))], ours=ours_first)
    restart(ledger, journal, file(7, 250), 2)
    land(ledger, 7, try_=2)
    with pytest.raises(ProtocolError, match="came twice"):
        ledger.digested([(6, 1, content(6))], ours=ours_first)
    with pytest.raises(DigestMismatch, match="f5"):
        ledger.digested([(5, 1, content(6))], ours=not ours_first)
    for number in (8, 4, 3, 2, 1):
        assert ledger.digested([(number, 1, content(number))], ours=not ours_first)
    assert not ledger.digested([(7, 2, content(9))], ours=not ours_first)
    assert ledger.digested([(7, 2, content(9))], ours=ours_first)


def test_forty_thousand_files_that_wait_take_a_few_bytes_each(ledger, journal):
    count = 40_000
    announce(ledger, journal, ROOT, *(file(number, 250) for number in range(1, 2 * halves.HELD)), last=False)
    for number in range(1, 2 * halves.HELD):
        ledger.digested([(number, 1, content(1))], ours=False)
    with traced() as peak:
        for first in range(2 * halves.HELD, count, 1000):
            announce(ledger, journal, *(file(number, 250) for number in range(first, first + 1000)), last=False)
            for number in range(first, first + 1000):
                ledger.digested([(number, 1, content(1))], ours=False)
    assert peak() < 8 << 20


# Beginning again


def restart(ledger, journal, entry, try_):
    with ledger.restarting(entry, try_) as found:
        journal.replace(entry, try_)
        return found


def test_a_restart_voids_what_landed_and_what_was_digested(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 250))
    landing = ledger.landing(piece(1, 0, 100), lambda: None)
    ledger.add(landing, piece(1, 0, 100))
    ledger.digested([(1, 1, content(7))], ours=False)
    state, dropped = restart(ledger, journal, file(1, 50), 2)
    assert (state, dropped) == (State.ANNOUNCED, landing)
    assert not ledger.await_try(1, 1)
    assert ledger.landing(piece(1, 100, 10), lambda: None) is None
    assert not ledger.awaited([(1, 1, bytes(250))])
    assert not ledger.add(landing, piece(1, 100, 100))
    assert not land(ledger, 1, try_=1)
    assert not ledger.digested([(1, 1, content(7))], ours=True)
    assert ledger.await_try(1, 2) and ledger.awaited([(1, 2, bytes(50))]) and land(ledger, 1, try_=2)


def test_a_verified_file_can_begin_again_and_must_be_verified_again(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 250))
    land(ledger, 1)
    for ours in (True, False):
        ledger.digested([(1, 1, content(7))], ours)
    state, _ = restart(ledger, journal, file(1, 250), 2)
    assert state == State.VERIFIED
    with pytest.raises(ProtocolError, match="f1 did not come"):
        ledger.check_landed()
    land(ledger, 1, try_=2)
    for ours in (True, False):
        ledger.digested([(1, 2, content(8))], ours)
    ledger.check_verified()


def test_pieces_of_the_next_try_wait_until_it_is_told(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 250))
    passed = threading.Event()
    waiting = threading.Thread(target=lambda: ledger.await_try(1, 2) and passed.set())
    waiting.start()
    assert not passed.is_set()
    restart(ledger, journal, file(1, 250), 2)
    waiting.join(10)
    assert passed.is_set()


@pytest.mark.parametrize("try_", [1, 3])
def test_tries_are_counted_one_by_one(ledger, journal, try_):
    announce(ledger, journal, ROOT, file(1, 250))
    with pytest.raises(ProtocolError, match=f"begins try {try_} after try 1"), ledger.restarting(file(1, 250), try_):
        pass


def test_a_restart_cannot_make_a_file_something_else(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 250))
    link = Entry(1, 0, b"f1", Kind.SYMLINK, target=b"/etc")
    with pytest.raises(ManifestInvalid), ledger.restarting(link, 2):
        pass


# The end


def test_what_never_came_is_named(ledger, journal):
    announce(ledger, journal, ROOT, file(1, 0), file(2, 5))
    land(ledger, 1)
    with pytest.raises(ProtocolError, match="f2 did not come"):
        ledger.check_landed()


def test_streams_may_not_end_before_the_list(ledger, journal):
    announce(ledger, journal, ROOT, last=False)
    with pytest.raises(ProtocolError, match="the end of the list did not come"):
        ledger.check_landed()


def test_a_tree_without_files_is_complete_at_once(ledger, journal):
    announce(ledger, journal, ROOT)
    ledger.check_landed()
    ledger.check_verified()
