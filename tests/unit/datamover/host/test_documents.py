"""Documents on disk."""
import os
import stat

import pytest

from datamover.host import documents


def test_what_was_saved_is_loaded(tmp_path):
    documents.save(tmp_path / "a.json", {"n": 1, "text": "ä\n"})
    assert documents.load(tmp_path / "a.json") == {"n": 1, "text": "ä\n"}


def test_what_was_never_saved_is_none(tmp_path):
    assert documents.load(tmp_path / "a.json") is None


def test_saving_replaces_whole_and_leaves_nothing_beside(tmp_path):
    documents.save(tmp_path / "a.json", {"long": "x" * 10000})
    documents.save(tmp_path / "a.json", {})
    assert documents.load(tmp_path / "a.json") == {}
    assert os.listdir(tmp_path) == ["a.json"]


def test_only_the_owner_reads_it(tmp_path):
    documents.save(tmp_path / "a.json", {})
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o600


def test_a_failing_save_leaves_the_old_one(tmp_path):
    documents.save(tmp_path / "a.json", {"old": True})
    with pytest.raises(TypeError):
        documents.save(tmp_path / "a.json", {"new": object()})
    assert documents.load(tmp_path / "a.json") == {"old": True}


def test_a_torn_part_of_an_earlier_crash_does_not_matter(tmp_path):
    (tmp_path / "a.json.part").write_text('{"half": ')
    documents.save(tmp_path / "a.json", {"whole": 1})
    assert documents.load(tmp_path / "a.json") == {"whole": 1}


def test_the_digest_knows_no_order_of_keys():
    assert documents.digest({"a": 1, "b": [2]}) == documents.digest({"b": [2], "a": 1})
    assert documents.digest({"a": 1}) != documents.digest({"a": "1"})
