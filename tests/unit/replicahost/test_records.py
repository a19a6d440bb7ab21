"""What was settled on a host, and the old data that is still there."""

import os
import shutil
from types import SimpleNamespace

import pytest

from datamover.host import documents
from replicahost import datadir, holds, installing, records, timer
from replicaplan.errors import NotesUnreadable, ReplicaRefused


@pytest.fixture
def timerless(monkeypatch):
    """No timer of systemd, and no unit of it."""
    monkeypatch.setattr(timer, "begin", lambda place: None)
    monkeypatch.setattr(installing.units, "set_options", lambda *options: None)
    monkeypatch.setattr(installing, "against_settling", lambda *_: [])
    found = SimpleNamespace(unit=SimpleNamespace(masked=False), running=False)
    monkeypatch.setattr(installing.discovery, "place", lambda _settings: found)


def settled(state_dir, kept, *logs, had_data=True):
    """An installation that was settled, and has kept its old data there, and its logs."""
    for each in (*logs, *([kept] if had_data else [])):
        each.mkdir()
        (each / "file").write_text("x" * 5000)
    hold = holds.begin(
        state_dir, holds.INSTALLATION, 30, unit="m.service", kept=str(kept), had_data=had_data, step="proved",
        kept_logs=[*map(str, logs)],
    )
    assert hold.path.exists()
    return installing.settle(None, state_dir)


def test_old_data_of_every_installation_can_be_dropped(tmp_path, timerless):
    one, other = (tmp_path / f"data.before-{number}" for number in (1, 2))
    settled(tmp_path, one)
    assert settled(tmp_path, other)["older"] == [str(one)]
    with pytest.raises(ReplicaRefused, match=f"{other} or {one}, not '/d'"):
        records.drop_old(tmp_path, "/d")
    assert records.drop_old(tmp_path, str(one))["removed"] == str(one)
    assert records.old_data(tmp_path) == [str(other)]
    records.drop_old(tmp_path, str(other))
    with pytest.raises(ReplicaRefused, match="no old data"):
        records.drop_old(tmp_path, str(other))


def test_logs_that_lay_elsewhere_go_with_their_data(tmp_path, timerless):
    one, logs = tmp_path / "data.before-1", [tmp_path / "bin.before-1", tmp_path / "relay.before-1"]
    assert settled(tmp_path, one, *logs)["kept_logs"] == [*map(str, logs)]
    settled(tmp_path, tmp_path / "data.before-2")
    done = records.drop_old(tmp_path, str(one))
    assert (done["logs"], done["files"], done["bytes"] >= 3 * 5000) == ([*map(str, logs)], 3, True)
    assert not any(place.exists() for place in (one, *logs))


def test_old_data_in_which_something_was_mounted_stays_wholly(tmp_path, timerless, monkeypatch):
    """Also what is not mounted upon: a part of old data is of no use."""
    data, logs = tmp_path / "data.before-1", tmp_path / "bin.before-1"
    settled(tmp_path, data, logs)
    points = {os.fsencode(logs): [os.fsencode(logs / "archive")]}
    monkeypatch.setattr(datadir.mounts, "at_or_below", lambda place: points.get(place, []))
    with pytest.raises(ReplicaRefused, match=f"{logs}/archive is mounted in {logs}.*unmount it first"):
        records.drop_old(tmp_path, str(data))
    assert (data / "file").exists() and (logs / "file").exists()


@pytest.mark.parametrize("had_data", [True, False])
def test_logs_whose_data_is_gone_are_dropped_by_their_own_name(tmp_path, timerless, had_data):
    data, logs = tmp_path / "data.before-1", tmp_path / "bin.before-1"
    settled(tmp_path, data, logs, had_data=had_data)
    if had_data:
        shutil.rmtree(data)
    settled(tmp_path, tmp_path / "data.before-2")
    assert records.old_data(tmp_path) == [str(tmp_path / "data.before-2"), str(logs)]
    assert records.drop_old(tmp_path, str(logs))["removed"] == str(logs)
    assert not logs.exists()


@pytest.mark.parametrize("first", [True, False])
def test_what_a_power_cut_keeps_from_being_settled_is_not_told_as_settled(tmp_path, timerless, monkeypatch, first):
    before = None if first else settled(tmp_path, tmp_path / "data.before-1")
    with monkeypatch.context() as power:
        power.setattr(holds.Hold, "forget", lambda hold: None)
        assert settled(tmp_path, tmp_path / "data.before-2") != before
    installing.roll_back(tmp_path)
    assert records.last(tmp_path) == before


def test_an_installation_is_not_taken_back_because_what_was_settled_before_cannot_be_read(tmp_path, timerless):
    settled(tmp_path, tmp_path / "data.before-1")
    place = tmp_path / "replica" / "installed.json"
    known = documents.load(place)
    documents.save(place, {**known, "format": 2})
    with pytest.raises(NotesUnreadable):
        settled(tmp_path, tmp_path / "data.before-2")
    assert holds.under_way(tmp_path, holds.INSTALLATION)
    documents.save(place, known)
    assert installing.settle(None, tmp_path)["older"] == [str(tmp_path / "data.before-1")]
