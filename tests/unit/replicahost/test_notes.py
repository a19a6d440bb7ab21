"""What a host keeps on its disk: read by those who know its format, and refused in words by all others."""

import json
from pathlib import Path

import pytest

from datamover.host import documents
from datamover.host.lease import Deadline
from replicahost import counting, holds, installing, notes, records, undoing
from replicaplan.errors import NotesUnreadable, RollbackIncomplete


def test_what_was_kept_is_read_again_without_the_number_of_its_format(tmp_path):
    notes.save(tmp_path / "x", {"a": 1})
    assert json.loads((tmp_path / "x").read_text()) == {"format": 1, "a": 1}
    assert (notes.load(tmp_path / "x"), notes.load(tmp_path / "y")) == ({"a": 1}, None)


def test_what_was_kept_before_formats_had_numbers_is_read(tmp_path):
    documents.save(tmp_path / "x", {"a": 1})
    assert notes.load(tmp_path / "x") == {"a": 1}


@pytest.mark.parametrize("number", [2, 0, "1", None])
def test_a_format_that_is_not_known_is_refused_in_a_sentence(tmp_path, number):
    documents.save(tmp_path / "x", {"format": number, "a": 1})
    with pytest.raises(NotesUnreadable, match=f"{tmp_path}/x is of format {number}, and this version reads format 1"):
        notes.load(tmp_path / "x")


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "\udcff"])
def test_what_is_damaged_is_named_with_what_to_do(tmp_path, text):
    (tmp_path / "x").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(NotesUnreadable, match=rf"{tmp_path}/x is damaged \(.*\): put an older copy in its place, or"):
        notes.load(tmp_path / "x")


def begun(tmp_path, name="installation"):
    """A hold of another version whose lease is over."""
    hold = holds.begin(tmp_path, name, 30)
    hold.undo.register("unit", name=name)
    past = Deadline.after(-1)
    hold.note(deadline=[past.boot, past.at])
    return hold


def become(hold, number):
    place = hold.path / "hold.json"
    documents.save(place, {**documents.load(place), "format": number})


def test_a_hold_of_a_newer_version_is_neither_gone_on_with_nor_taken_back_but_told(tmp_path, undone):
    """What it means is not known: to undo the half of it would be worse than to wait for who knows all of it."""
    hold = begun(tmp_path)
    begun(tmp_path, "pause")
    become(hold, 2)
    (trouble,) = holds.take_back_overdue(hold.path.parent)
    assert f"{hold.path}/hold.json is of format 2" in trouble
    assert (undone, hold.path.exists()) == ([{"name": "pause"}], True)
    for work in (hold.working, hold.minding, hold.ending):
        with pytest.raises(NotesUnreadable), work():
            raise AssertionError("it was gone on with")
    with pytest.raises(NotesUnreadable):
        installing.roll_back(tmp_path)
    become(hold, 1)
    assert (holds.take_back_overdue(hold.path.parent), hold.path.exists()) == ([], False)


def test_a_hold_whose_note_is_damaged_waits_for_a_person_who_is_told_what_comes_of_moving_that_away(tmp_path, undone):
    """Without it the hold is overdue, whatever its lease was."""
    hold = holds.begin(tmp_path, "installation", 300)
    hold.undo.register("unit", name="installation")
    note = hold.path / "hold.json"
    note.write_text("{")
    (trouble,) = holds.take_back_overdue(hold.path.parent)
    assert f"{note} is damaged" in trouble
    assert trouble.endswith("mend it, or move it away: then this installation is taken back within seconds.")
    assert (undone, hold.path.exists()) == ([], True)
    note.unlink()
    assert (holds.take_back_overdue(hold.path.parent), hold.path.exists()) == ([], False)
    assert undone == [{"name": "installation"}]


def test_a_hold_from_before_formats_had_numbers_is_taken_back(tmp_path, undone):
    hold = begun(tmp_path)
    place = hold.path / "hold.json"
    documents.save(place, {name: each for name, each in documents.load(place).items() if name != "format"})
    assert (holds.take_back_overdue(hold.path.parent), undone) == ([], [{"name": "installation"}])


def test_a_hold_that_cannot_be_undone_is_told_beside_one_that_cannot_be_read(tmp_path, undone, monkeypatch):
    hold, other = begun(tmp_path), begun(tmp_path, "pause")
    become(hold, 2)

    def fail(**_):
        raise RollbackIncomplete("it does not go.")

    monkeypatch.setitem(undoing.HANDLERS, "unit", fail)
    unread, stuck = holds.take_back_overdue(hold.path.parent)
    assert "format 2" in unread and "it does not go." in stuck and other.path.exists()


def test_what_was_settled_by_a_newer_version_is_not_taken_for_nothing(tmp_path):
    place = tmp_path / "replica" / "installed.json"
    place.parent.mkdir()
    documents.save(place, {"format": 2, "kept": "/srv/mysql.before-1"})
    for ask in (records.last, records.old_data, lambda state_dir: records.drop_old(state_dir, "/srv/mysql.before-1")):
        with pytest.raises(NotesUnreadable, match="installed.json is of format 2"):
            ask(tmp_path)


def test_what_is_put_back_of_a_record_has_its_number_again(tmp_path):
    place = tmp_path / "installed.json"
    undoing.forget_record(str(place), {"kept": "/srv/mysql.before-1"})
    assert json.loads(place.read_text())["format"] == 1


def test_a_count_of_a_newer_version_is_not_shown(tmp_path):
    place = Path(tmp_path, "replica", "counts", "one.json")
    place.parent.mkdir(parents=True)
    documents.save(place, {"format": 2, "tables": []})
    with pytest.raises(NotesUnreadable, match="one.json is of format 2"):
        counting.page(tmp_path, "one", 0)
