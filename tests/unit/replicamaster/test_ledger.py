"""What the master keeps of repairs: one file for all processes, and for versions before and after this one."""

import json

import pytest

from replicamaster.ledger import Book
from replicaplan.errors import LedgerUnreadable
from replicaplan.repair import Attempt

ATTEMPT = Attempt("db2", "main", 1000.0, "repaired", True)
PROPOSAL = {"host": "db2", "cluster": "main", "at": 1000.0, "reasons": ["x"], "donor": "db3"}
NEWER = {"ticket": "of a newer version"}


@pytest.fixture
def book(tmp_path):
    return Book(str(tmp_path))


@pytest.fixture
def written(tmp_path):
    """written(document): a ledger as another version left it."""

    def written(document):
        (tmp_path / "ledger.json").write_text(json.dumps(document))

    return written


def test_a_ledger_says_of_what_format_it_is(book, tmp_path):
    book.begun(ATTEMPT)
    assert json.loads((tmp_path / "ledger.json").read_text()) == {
        "format": 1,
        "attempts": [{"host": "db2", "cluster": "main", "at": 1000.0, "result": "repaired", "down": True}],
        "proposals": {},
    }


def test_one_from_before_formats_were_noted_counts(book, written):
    written({"attempts": [{"host": "db2", "cluster": "main", "at": 1000.0}], "proposals": {"r1": PROPOSAL}})
    known = book.read()
    assert ([each.at for each in known.attempts], known.proposals) == ([1000.0], {"r1": PROPOSAL})


def test_what_a_newer_version_noted_beside_it_hinders_nobody(book, written):
    written({"format": 1, "attempts": [vars(ATTEMPT) | NEWER], "proposals": {"r1": PROPOSAL | NEWER}, **NEWER})
    assert book.read().attempts == (ATTEMPT,)
    assert book.proposal("r1")["host"] == "db2"
    book.withdraw("db2")
    assert (book.read().attempts, book.read().proposals) == ((ATTEMPT,), {})


def test_one_of_another_format_is_refused_and_left_as_it_is(book, written, tmp_path):
    written({"format": 2, "attempts": {}})
    before = (tmp_path / "ledger.json").read_bytes()
    for work in (book.read, lambda: book.begun(ATTEMPT), lambda: book.withdraw("db2")):
        with pytest.raises(LedgerUnreadable, match=r"ledger\.json is of format 2, and this version reads format 1"):
            work()
    assert (tmp_path / "ledger.json").read_bytes() == before


OLD = {"host": "db2", "cluster": "main", "at": 1000.0}


@pytest.mark.parametrize(
    "text",
    [
        "{broken",
        b"\xff\xfe{}",
        json.dumps([]),
        json.dumps([1]),
        json.dumps("x"),
        json.dumps({"attempts": 5}),
        json.dumps({"attempts": [5]}),
        json.dumps({"attempts": [{"host": "db2", "bogus": 1}]}),
        json.dumps({"attempts": [{**OLD, "at": "yesterday"}]}),
        json.dumps({"attempts": [{**OLD, "host": None}]}),
        json.dumps({"proposals": [1]}),
        json.dumps({"proposals": {"r1": 5}}),
        json.dumps({"proposals": {"r1": {"host": "db2"}}}),
    ],
)
def test_a_damaged_one_is_named_and_what_to_do_and_left_as_it_is(book, tmp_path, text):
    """Who forgot what was repaired would repair without end."""
    file = tmp_path / "ledger.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = file.read_bytes()
    for work in (book.read, lambda: book.begun(ATTEMPT), lambda: book.withdraw("db2"), lambda: book.proposal("r1")):
        with pytest.raises(LedgerUnreadable, match=f"{file} is damaged .*: put an older copy in its place, or move"):
            work()
    assert file.read_bytes() == before


def test_of_two_who_propose_the_same_at_once_one_is_told_that_it_is_new(book, tmp_path, monkeypatch):
    other, others = Book(str(tmp_path)), []
    held = Book._held

    def other_comes_first(self, name, patience):
        if self is book:
            others.append(other.propose("r1", PROPOSAL))
        return held(self, name, patience)

    monkeypatch.setattr(Book, "_held", other_comes_first)
    assert (book.propose("r1", PROPOSAL), others) == (False, [True])
