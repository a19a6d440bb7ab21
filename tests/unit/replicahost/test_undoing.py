"""How a server gets back to what it was."""

import pytest

from replicahost import undoing
from replicahost.datadir import identity
from replicaplan.errors import DatabaseRefuses, DatabaseSilent


@pytest.fixture
def done(monkeypatch):
    """What the unit was told to do, in order."""
    seen = []
    for verb in ("hold_down", "mask", "unmask", "start", "set_options", "restore_options"):
        monkeypatch.setattr(undoing.units, verb, lambda name, *words, verb=verb: seen.append((verb, *words)))
    return seen


def test_nobody_can_start_the_server_until_its_own_data_is_back(done):
    undoing.end_isolation("m.service", "before")
    assert done == [("hold_down",), ("restore_options", "before")]


@pytest.mark.parametrize(
    ("was_active", "was_masked", "verbs"),
    [
        (True, False, ["unmask", "start"]),
        (False, False, ["unmask"]),
        (True, True, ["unmask", "start", "mask"]),
        (False, True, ["mask"]),
    ],
)
def test_a_unit_is_as_it_was_found(done, was_active, was_masked, verbs):
    undoing.start_again("m.service", was_active, was_masked)
    assert [verb for verb, *_ in done] == verbs


def test_it_starts_with_what_it_had_and_keeps_none_of_that_for_its_next_start(done):
    undoing.start_again("m.service", True, False, options=["--read-only=ON"], before="of others")
    assert done == [("set_options", "--read-only=ON"), ("unmask",), ("start",), ("restore_options", "of others")]


def test_without_data_it_stays_down(done, tmp_path):
    undoing.start_again("m.service", True, False, datadir=str(tmp_path / "gone"))
    undoing.start_again("m.service", True, False, datadir=str(tmp_path))
    assert [verb for verb, *_ in done] == ["unmask", "unmask", "start"]


def test_a_server_that_lets_nobody_in_is_told_and_one_that_is_silent_is_asked_again(monkeypatch):
    def fail(error):
        raise error

    monkeypatch.setattr(undoing.running, "restore", lambda *_: fail(DatabaseRefuses("Access denied")))
    assert undoing.run_as_before("/s", "root", "", {}).endswith("are as before: Access denied")
    monkeypatch.setattr(undoing.running, "restore", lambda *_: fail(DatabaseSilent("nobody there")))
    with pytest.raises(DatabaseSilent):
        undoing.run_as_before("/s", "root", "", {})


def test_a_record_that_cannot_be_written_keeps_no_old_data_waiting(tmp_path):
    assert "tells an installation that was taken back" in undoing.forget_record(str(tmp_path), {"kept": "/d"})
    assert undoing.forget_record(str(tmp_path / "none"), None) is None


def test_a_pause_of_data_that_was_exchanged_since_is_over(monkeypatch, tmp_path):
    """The old data that came back replicates as it did before, and perhaps a person had stopped it."""
    resumed = []
    monkeypatch.setattr(undoing, "resume", lambda *told: resumed.append(told[1:]))
    known = {"socket": "/s", "user": "root", "defaults_file": "", "channel": "", "was_io": True, "was_sql": True}
    undoing.go_on(**known, datadir=str(tmp_path), data=identity(tmp_path) + 1)
    assert resumed == []
    undoing.go_on(**known, datadir=str(tmp_path), data=identity(tmp_path))
    undoing.go_on(**known)
    assert resumed == [("", True, True)] * 2
