"""A source whose files change, are replaced or vanish while they are read."""

import os

import pytest

from datamover.disk.tree import SourceTree
from datamover.errors import PeerFailed, SourceChanged, SourceVanished
from tests.functional.datamover.ends import Disturbed, Ends, refused

MIB = 1024 * 1024


class ChangingTree(SourceTree):
    """Calls `self.disturb(path, times)` before each read of the last piece of `large`."""

    def open(self, entry):
        file = super().open(entry)
        return Disturbed(file, self) if entry.name == b"large" else file


def changing(root, folder, disturb, times):
    """Ends whose source disturbs its file the first `times` times that it is read."""
    left = [times]

    class Tree(ChangingTree):
        def disturb(self, path):
            if left[0]:
                left[0] -= 1
                disturb(path)

    return Ends(root, folder, tree=Tree)


def grow(path):
    with open(path, "ab") as out:
        out.write(os.urandom(1000))


def shrink(path):
    os.truncate(path, 7 * MIB)


def rewrite(path):
    with open(path, "r+b") as out:
        out.write(os.urandom(1000))


def replace(path):
    with open(path + b"~", "wb") as out:
        out.write(os.urandom(3 * MIB))
    os.replace(path + b"~", path)


@pytest.mark.parametrize("disturb", [grow, shrink, rewrite, replace])
@pytest.mark.parametrize("times", [1, 3])
def test_a_file_that_changes_while_it_is_read_is_sent_again(root, folder, disturb, times):
    ends = changing(root, folder, disturb, times)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert (ends.data / "large").read_bytes() == (root / "large").read_bytes()
    assert sent.retried_entries == received.retried_entries >= times
    restarts = [each["attempt"] for each in ends.alpha.told("restarted") if each["path"] == "large"]
    assert restarts == [number + 2 for number in range(times)]
    for end in (ends.alpha, ends.beta):
        assert end.progress.counters.bytes_done == end.progress.counters.bytes_total


def test_a_file_that_never_stops_changing_fails_by_name(root, folder):
    source_error, destination_error = refused(changing(root, folder, grow, times=100))
    assert isinstance(source_error, SourceChanged) and source_error.evidence["path"] == b"large"
    assert "large changed each of the 4 times it was read" in source_error.text
    assert isinstance(destination_error, PeerFailed) and "alpha: large changed" in destination_error.text


def test_a_file_that_vanishes_fails_by_name(root, folder):
    class Tree(SourceTree):
        def open(self, entry):
            if entry.name == b"last":
                os.unlink(os.path.join(self.root, b"dir/last"))
            return super().open(entry)

    source_error, _ = refused(Ends(root, folder, tree=Tree))
    assert isinstance(source_error, SourceVanished) and "dir/last" in source_error.text


def test_a_file_that_changes_after_it_was_read_is_seen_at_the_seal(root, folder, monkeypatch):
    """It was young when it was read, so it is looked at again."""
    monkeypatch.setattr("datamover.disk.metadata.SUSPECT_AGE_NS", 3600 * 10**9)

    class Tree(SourceTree):
        changed = False

        def suspects(self):
            if not self.changed:
                self.changed = True
                rewrite(os.path.join(self.root, b"large"))
                os.chmod(os.path.join(self.root, b"dir"), 0o711)
                with open(os.path.join(self.root, b"small"), "wb") as out:
                    out.write(b"other")
            return super().suspects()

    ends = Ends(root, folder, tree=Tree)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    for name in ("large", "small"):
        assert (ends.data / name).read_bytes() == (root / name).read_bytes()
    assert (ends.data / "dir").stat().st_mode & 0o777 == 0o711
    assert sent.retried_entries == received.retried_entries == 3
    assert ends.beta.progress.counters.bytes_verified == received.bytes
