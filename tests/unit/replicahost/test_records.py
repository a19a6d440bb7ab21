"""What was settled on a host, and the old data that is still there."""

import pytest

from replicahost import guard, holds, installing, records
from replicaplan.errors import NothingToUndo, ReplicaRefused


@pytest.fixture
def unguarded(monkeypatch):
    """No timer of systemd, and no unit of it."""
    monkeypatch.setattr(guard, "begin", lambda place: None)
    monkeypatch.setattr(installing.units, "set_options", lambda *options: None)


def settled(state_dir, kept):
    """An installation that was settled, and has kept its old data there."""
    kept.mkdir()
    hold = holds.begin(state_dir, installing.NAME, 30, unit="m.service", kept=str(kept), had_data=True, step="proved")
    assert hold.path.exists()
    return installing.settle(state_dir)


def test_old_data_of_every_installation_can_be_dropped(tmp_path, unguarded):
    one, other = (tmp_path / f"data.before-{number}" for number in (1, 2))
    settled(tmp_path, one)
    assert settled(tmp_path, other)["older"] == [str(one)]
    with pytest.raises(ReplicaRefused, match=f"{other} or {one}, not '/d'"):
        records.drop_old(tmp_path, "/d")
    assert records.drop_old(tmp_path, str(one))["removed"] == str(one)
    assert records.old_data(tmp_path) == [str(other)]
    records.drop_old(tmp_path, str(other))
    with pytest.raises(NothingToUndo, match="no old data"):
        records.drop_old(tmp_path, str(other))


@pytest.mark.parametrize("first", [True, False])
def test_what_a_power_cut_keeps_from_being_settled_is_not_told_as_settled(tmp_path, unguarded, monkeypatch, first):
    before = None if first else settled(tmp_path, tmp_path / "data.before-1")
    with monkeypatch.context() as power:
        power.setattr(holds.Hold, "forget", lambda hold: None)
        assert settled(tmp_path, tmp_path / "data.before-2") != before
    installing.roll_back(tmp_path)
    assert records.last(tmp_path) == before
