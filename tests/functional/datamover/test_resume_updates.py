"""A further attempt of an update sends what neither stands there nor was staged before, and believes only the disk."""

import errno
import os
import random
import threading

import pytest

from datamover.disk import holdings, overlay
from datamover.disk.journal import Journal
from datamover.disk.special import NAMES
from datamover.disk.update import Asked, UpdateStaging
from datamover.manifest import Kind
from tests.functional.datamover.attempts import Attempts, cut_at
from tests.functional.datamover.ends import TRANSFER
from tests.functional.datamover.places import age, plant, source
from tests.functional.datamover.test_resume import IN_FLIGHT, flip
from tests.functional.datamover.updates import Updates, told
from tests.support.waiting import eventually

MIB = 1024 * 1024


class UpdateAttempts(Attempts):
    kind = Updates

    @property
    def anchor(self):
        return self.folder / f".salt-transfer-{TRANSFER}"

    def staged_before(self):
        """What the attempts before have staged and was not gone on with."""
        return [path for place in self.anchor.glob("earlier-*") for path in place.iterdir()]

    @property
    def largest_staged(self):
        return max((self.anchor / "changes").iterdir(), key=lambda path: path.stat().st_size)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    plant(tmp_path / "source", {"dir": {"kept": b"as it is"}})
    age(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def folder(tmp_path, root):
    (tmp_path / "place").mkdir()
    plant(tmp_path / "place", {"final": {"dir": {"kept": b"as it was"}, "beside": b"stays"}})
    (tmp_path / "place" / "final" / "beside").unlink()
    return tmp_path / "place"


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("streams", [1, 4])
@pytest.mark.parametrize("level", ["readback", "flight"])
def test_what_landed_of_a_new_large_file_is_not_sent_again(root, folder, level, streams):
    plant(root, {"new": noise(64 * MIB)})
    attempts = UpdateAttempts(root, folder, verify=level, streams=streams)
    cut, _ = attempts.cut(0.9)
    _, sent, received = attempts.complete()
    assert received.held_bytes >= 0.9 * 64 * MIB - streams * MIB  # each is in the middle of a block
    assert cut.moved_bytes + sent.moved_bytes <= 64 * MIB + IN_FLIGHT
    assert sent.resent_bytes == received.resent_bytes <= IN_FLIGHT


def test_what_landed_of_a_file_that_grew_is_not_sent_again(root, folder):
    plant(root, {"log": noise(64 * MIB)})
    plant(folder / "final", {"log": noise(64 * MIB)[: 8 * MIB]})
    attempts = UpdateAttempts(root, folder)
    cut, _ = attempts.cut(0.9)
    _, sent, received = attempts.complete()
    assert received.held_bytes >= 0.9 * 64 * MIB - MIB
    assert cut.moved_bytes + sent.moved_bytes <= 56 * MIB + IN_FLIGHT


@pytest.mark.parametrize("streams", [1, 4])
def test_a_changed_file_that_had_arrived_whole_is_not_sent_again(root, folder, streams):
    plant(root, {"a": noise(16 * MIB), "b": noise(48 * MIB, 2)})
    plant(folder / "final", {"a": noise(16 * MIB, 3)})
    attempts = UpdateAttempts(root, folder, streams=streams)
    attempts.cut(0.6)
    _, sent, _ = attempts.complete()
    assert sent.held_bytes >= 16 * MIB
    assert sent.moved_bytes <= 0.4 * 64 * MIB + IN_FLIGHT


def test_of_a_changed_file_that_had_arrived_in_part_what_stands_there_is_compared_anew(root, folder, monkeypatch):
    """And what was staged of it gives back its room."""
    before = bytearray(noise(64 * MIB))
    for number in range(0, 64, 4):
        before[number * MIB : number * MIB + 10] = b"y" * 10
    plant(root, {"base": noise(64 * MIB)})
    plant(folder / "final", {"base": bytes(before)})
    attempts = UpdateAttempts(root, folder, compare="digest")
    attempts.cut(0.5)
    assert attempts.largest_staged.stat().st_size > 16 * MIB
    left = []
    finish = UpdateStaging.finish
    monkeypatch.setattr(UpdateStaging, "finish", lambda *how: left.append(attempts.staged_before()) or finish(*how))
    _, sent, _ = attempts.complete()
    assert 16 * MIB <= sent.moved_bytes < 17 * MIB
    assert left and not any(left)


def test_a_file_that_was_staged_up_to_its_new_end_without_what_is_held_of_it_is_none(root, folder, monkeypatch):
    """What is held is copied beside what arrives; when the disk is full by then, hardly anything is in it."""

    def full(*_how):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    plant(root, {"log": noise(50 * MIB)})
    plant(folder / "final", {"log": noise(50 * MIB)[: 48 * MIB]})
    attempts = UpdateAttempts(root, folder)
    with monkeypatch.context() as patch:
        patch.setattr(overlay, "copy", full)
        ends = attempts.next()
        assert all(outcome.error for outcome in ends.run())
        attempts.close(ends)
    assert attempts.largest_staged.stat().st_size > 48 * MIB
    _, sent, _ = attempts.complete()
    assert sent.moved_bytes < 3 * MIB


def test_two_streams_that_keep_blocks_of_one_staged_file_at_once_agree_where_it_is(root, folder, monkeypatch):
    """The second one looks just when the file has been moved for the first."""
    plant(root, {"new": noise(8 * MIB)})
    attempts = UpdateAttempts(root, folder)
    ends = attempts.next()
    cut_at(ends, 6 * MIB)
    ends.run()
    attempts.close(ends)
    place = os.fsencode(folder / "final")
    with source(root) as (tree, ours), Journal("") as journal:
        staging = UpdateStaging.take_over(place, TRANSFER, {}, journal, special=NAMES, asked=Asked())
        staging.announce(list(tree.walk()))
        staging.consider(list(ours.entries()))
        (entry,) = (each for each in ours.entries((Kind.FILE,)) if each.name == b"new")
        assert len(told(staging, entry)) > 2
        kept, move = [], holdings._move

        def moved(*how):
            move(*how)
            second = threading.Thread(target=lambda: kept.append(staging.keep(entry.number, 1, MIB, MIB)), daemon=True)
            second.start()
            second.join(0.2)

        monkeypatch.setattr(holdings, "_move", moved)
        staging.keep(entry.number, 1, 0, MIB)
        assert eventually(lambda: kept == [True])
        staging.finish(entry.number)
        with open(staging.opened(entry.number), "rb") as staged:
            assert staged.read(2 * MIB) == noise(8 * MIB)[: 2 * MIB]
        staging.close()


def test_what_an_earlier_attempt_noted_of_the_destination_may_be_damaged(root, folder):
    plant(root, {"new": noise(16 * MIB)})
    attempts = UpdateAttempts(root, folder)
    attempts.cut(0.5)
    (attempts.anchor / "standing.db").write_bytes(b"no database at all" * 1000)
    attempts.complete()


def test_small_files_that_had_arrived_are_not_sent_again(root, folder):
    plant(root, {"many": {f"{number:04}": noise(4000 + number, number) for number in range(2000)}})
    attempts = UpdateAttempts(root, folder)
    cut, _ = attempts.cut(0.5)
    _, sent, _ = attempts.complete()
    assert sent.held_bytes > 3 * MIB
    assert sent.resent_bytes == 0
    assert cut.moved_bytes + sent.moved_bytes <= sum(path.stat().st_size for path in (root / "many").iterdir()) + MIB


def test_a_flipped_byte_in_what_was_staged_costs_its_block(root, folder):
    plant(root, {"new": noise(64 * MIB)})
    attempts = UpdateAttempts(root, folder)
    attempts.cut(0.9)
    flip(attempts.largest_staged, 20 * MIB + 17)
    _, sent, received = attempts.complete()
    assert MIB <= received.resent_bytes <= MIB + IN_FLIGHT
    assert received.held_bytes >= 0.9 * 64 * MIB - 2 * MIB
    assert sent.resent_bytes == received.resent_bytes


@pytest.mark.parametrize("level", ["readback", "flight"])
def test_a_source_that_was_exchanged_between_the_attempts_is_never_mixed(root, folder, level):
    plant(root, {"new": noise(32 * MIB), "old": noise(32 * MIB, 2)})
    plant(folder / "final", {"old": noise(32 * MIB, 3)})
    attempts = UpdateAttempts(root, folder, verify=level)
    attempts.cut(0.9)
    plant(root, {"other": noise(20 * MIB, 4), "moved": noise(32 * MIB, 2)})
    os.rename(root / "other", root / "new")
    os.rename(root / "moved", root / "old")
    os.truncate(root / "old", 31 * MIB)
    attempts.complete()


def test_what_changed_at_the_destination_between_the_attempts_is_compared_anew(root, folder):
    plant(root, {"a": noise(16 * MIB), "b": noise(16 * MIB, 2), "c": noise(16 * MIB, 3)})
    plant(folder / "final", {"a": noise(16 * MIB, 4), "b": noise(8 * MIB, 2)})
    attempts = UpdateAttempts(root, folder)
    attempts.cut(0.9)
    plant(folder / "final", {"a": noise(17 * MIB, 5), "c": noise(3 * MIB, 3)})
    (folder / "final" / "b").unlink()
    _, sent, _ = attempts.complete()
    assert sent.moved_bytes <= 16 * MIB + IN_FLIGHT


def test_an_attempt_after_two_that_were_cut_uses_what_both_have_staged(root, folder):
    plant(root, {"a": noise(32 * MIB), "b": noise(32 * MIB, 2)})
    attempts = UpdateAttempts(root, folder)
    attempts.cut(0.4)
    attempts.cut(0.8)
    _, sent, _ = attempts.complete()
    assert sent.moved_bytes <= 0.2 * 64 * MIB + IN_FLIGHT
