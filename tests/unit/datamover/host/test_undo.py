"""The undo log: order, repetition, crashes at every byte."""
import stat

import pytest

from datamover.host import undo
from datamover.host.undo import Change, UndoLog


@pytest.fixture
def path(tmp_path):
    return tmp_path / "undo.log"


@pytest.fixture
def log(path):
    return UndoLog(path)


def test_an_empty_log_has_nothing_to_undo_and_makes_no_file(log, path):
    assert log.pending() == []
    assert log.run({}) == []
    assert not path.exists()


def test_changes_are_undone_newest_first_with_their_details(log):
    log.register("staging", path="/a")
    log.register("pinhole", tag="t", chains=[1])
    undone = []
    handlers = {
        "staging": lambda path: undone.append(("staging", path)),
        "pinhole": lambda tag, chains: undone.append(("pinhole", tag, chains)),
    }
    assert log.run(handlers) == []
    assert undone == [("pinhole", "t", [1]), ("staging", "/a")]


def test_undoing_twice_is_harmless(log):
    log.register("staging", path="/a")
    undone = []
    log.run({"staging": lambda path: undone.append(path)})
    log.run({"staging": lambda path: undone.append(path)})
    assert undone == ["/a"]


def test_it_is_on_disk_when_register_returns(log, path):
    log.register("staging", path="/a")
    assert UndoLog(path).pending() == [Change(1, "staging", {"path": "/a"})]


def test_what_is_done_is_not_pending_and_numbers_go_on(log):
    first = log.register("a")
    log.done(first)
    assert log.register("b") == 2
    assert [change.what for change in log.pending()] == ["b"]


def test_a_failing_handler_is_told_stays_pending_and_does_not_stop_the_others(log):
    log.register("good")
    log.register("bad", path="/x")

    def fail(path):
        raise OSError(16, "Device or resource busy", path)

    undone = []
    troubles = log.run({"good": lambda: undone.append("good"), "bad": fail})
    assert undone == ["good"]
    assert len(troubles) == 1
    assert "bad" in troubles[0] and "Device or resource busy" in troubles[0]
    assert [change.what for change in log.pending()] == ["bad"]


def test_what_nobody_can_undo_is_told_and_stays(log):
    log.register("from-the-future")
    assert "from-the-future" in log.run({})[0]
    assert len(log.pending()) == 1


def test_a_handler_may_keep_the_thing_without_trouble(log):
    log.register("staging")
    assert log.run({"staging": lambda: undo.KEPT}) == []
    assert len(log.pending()) == 1


def test_a_crash_at_any_byte_of_the_last_line_loses_only_that_line(log, path):
    log.register("first", path="/a")
    whole = path.read_bytes()
    log.register("second", path="/b")
    added = path.read_bytes()[len(whole):]
    for length in range(len(added)):
        path.write_bytes(whole + added[:length])
        pending = [change.what for change in UndoLog(path).pending()]
        assert pending == ["first"] or (pending == ["second", "first"] and length == len(added) - 1)


def test_after_a_torn_line_the_log_goes_on(log, path):
    log.register("first")
    with open(path, "ab") as file:
        file.write(b'{"seq": 2, "what": "to')
    log.register("next")
    assert [change.what for change in log.pending()] == ["next", "first"]


def test_only_the_owner_reads_it(log, path):
    log.register("a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_does_not_keep_the_other_changes_from_being_undone(log, monkeypatch):
    log.register("first")
    log.register("second")
    monkeypatch.setattr(log, "done", lambda seq: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    undone = []
    troubles = log.run({"first": lambda: undone.append("first"), "second": lambda: undone.append("second")})
    assert undone == ["second", "first"]
    assert len(troubles) == 2 and "No space left on device" in troubles[0]
