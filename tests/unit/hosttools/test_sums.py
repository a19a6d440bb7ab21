"""How rows become a text that says all of them."""

from hosttools import sums

PRINTED = [
    {"schema": "s", "name": "t", "type": "BASE TABLE", "engine": "InnoDB"},
    {"schema": "s", "name": "q", "type": "SEQUENCE", "engine": "InnoDB"},
    {"schema": "s", "name": "h", "type": "SYSTEM VERSIONED", "engine": "InnoDB"},
    {"schema": "s", "table": "t", "name": "a`b", "type": "int", "virtual": 0},
    {"schema": "s", "table": "t", "name": "f", "type": "float", "virtual": 0},
    {"schema": "s", "table": "t", "name": "x", "type": "text", "virtual": 0},
    {"schema": "s", "table": "t", "name": "v", "type": "int", "virtual": 1},
    {"schema": "s", "table": "h", "name": "a", "type": "int", "virtual": 0},
]


def test_tables_get_their_columns_without_those_that_are_computed():
    found = {table["name"]: table for table in sums.tables(PRINTED)}
    assert found["t"]["columns"] == [("a`b", "int"), ("f", "float"), ("x", "text")]
    assert [sums.is_transactional(found[name]) for name in "tqh"] == [True, False, True]


def test_a_query_counts_history_too_and_quotes_names():
    found = {table["name"]: table for table in sums.tables(PRINTED)}
    assert "FOR SYSTEM_TIME ALL" in sums.count(found["h"])
    text = sums.count(found["t"])
    assert "FOR SYSTEM_TIME" not in text
    assert "COALESCE(CAST(`a``b` AS CHAR), 'N')" in text
    assert "CAST(`f` AS DOUBLE)" in text
    assert "LENGTH(CAST(`x` AS BINARY))" in text


def test_a_digest_depends_on_every_number_of_every_chunk():
    chunk = {"chunk": 1, "rows": 2, "one": "33", "other": "44"}
    digests = {sums.digest_of([{**chunk, name: 9}]) for name in chunk} | {sums.digest_of([chunk]), sums.digest_of([])}
    assert len(digests) == 6
