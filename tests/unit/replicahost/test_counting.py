"""What a count of a server is made of, and what makes it none."""

import json

import pytest

from replicahost import counting
from replicaplan.errors import DatabaseRefuses, NotProved, ReplicaRefused

MARK = {"what": "mark", "file": "b.1", "position": 9, "gtid": "0-1-7"}
INNODB = {"schema": "shop", "name": "item", "type": "BASE TABLE", "engine": "InnoDB"}
ARIA = {"schema": "shop", "name": "old", "type": "BASE TABLE", "engine": "Aria"}
SEQUENCE = {"schema": "shop", "name": "numbers", "type": "SEQUENCE", "engine": "InnoDB"}
VIEW = {"what": "view", "name": "shop.rich", "digest": "aa", "of": 1}


def definitions(when, *found):
    return [{"what": "definitions", "when": when}, *found]


def chunk(table, rows=2, one="5", other="6", lost=0, of=1):
    return {"what": "chunk", "schema": table["schema"], "table": table["name"], "chunk": 0, "rows": rows, "one": one,
            "other": other, "lost": lost, "of": of}


class Server:
    """Tells these tables, then what a session prints, then the tables there are by then; remembers its script."""

    def __init__(self, *printed, tables=(INNODB, ARIA, SEQUENCE), then=None, refuses=None):
        self._answers = [listed(tables), list(printed), listed(tables if then is None else then)]
        self._refuses = refuses
        self.script = ""

    def documents(self, query, _patience):
        answer = self._answers.pop(0)
        if len(self._answers) == 1:
            self.script = query
            if self._refuses:
                raise DatabaseRefuses("it refuses", number=self._refuses)
        return answer


def listed(tables):
    """What an inventory prints of these."""
    columns = [{"schema": each["schema"], "table": each["name"], "name": "id", "type": "int", "virtual": 0}
               for each in tables]
    return [{**each, "of": len(tables)} for each in (*tables, *columns)]


WHOLE = (*definitions("before", VIEW), MARK, chunk(INNODB), *definitions("after", VIEW))
LOCKED = (*definitions("before", VIEW), MARK, *map(chunk, (ARIA, SEQUENCE, INNODB)), *definitions("after", VIEW))


def positions(script, *words):
    found = [script.index(word) for word in words]
    assert found == sorted(found)


def test_a_snapshot_is_marked_before_it_is_counted_and_leaves_out_what_takes_no_part_in_it(tmp_path):
    server = Server(*WHOLE)
    told = counting.count(server, tmp_path, "one", stands=False)
    assert (told["tables"], told["rows"], told["objects"], told["mark"]["gtid"]) == (1, 2, 1, "0-1-7")
    assert told["unproved"] == [["shop", "old", "Aria"], ["shop", "numbers", "InnoDB"]]
    positions(server.script, "'before'", "CONSISTENT SNAPSHOT", "'mark'", "`shop`.`item`", "'after'")
    assert "READ LOCK" not in server.script and "`old`" not in server.script


def test_other_engines_are_counted_under_a_lock_that_ends_before_the_rest_is_counted(tmp_path):
    server = Server(*LOCKED)
    told = counting.count(server, tmp_path, "one", stands=False, lock_others=True)
    assert (told["tables"], told["rows"], told["unproved"]) == (3, 6, [])
    positions(server.script, "READ LOCK", "CONSISTENT SNAPSHOT", "`shop`.`old`", "UNLOCK TABLES", "`shop`.`item`")
    positions(server.script, "READ LOCK", "`shop`.`numbers`", "UNLOCK TABLES")


def test_a_snapshot_is_one_whatever_is_set_globally(tmp_path):
    """With another level than this InnoDB takes none, and a time that is over ends the session in the middle of it."""
    server = Server(*WHOLE)
    counting.count(server, tmp_path, "one", stands=False)
    positions(server.script, "SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "CONSISTENT SNAPSHOT")
    for name in ("idle_transaction_timeout", "idle_readonly_transaction_timeout", "idle_write_transaction_timeout"):
        positions(server.script, f"{name}=0", "CONSISTENT SNAPSHOT")


STANDS = {**MARK, "file": "", "position": 0}


def test_a_replica_that_stands_leaves_out_what_its_primary_did(tmp_path):
    server = Server(STANDS, chunk(INNODB), *definitions("after", VIEW))
    told = counting.count(server, tmp_path, "one", stands=True)
    assert (told["tables"], told["unproved"]) == (1, [["shop", "old", "Aria"], ["shop", "numbers", "InnoDB"]])
    assert told["root"] == counting.count(Server(*WHOLE), tmp_path, "two", stands=False)["root"]
    assert "`numbers`" not in server.script and "`old`" not in server.script


def test_a_replica_that_stands_counts_other_engines_without_a_lock(tmp_path):
    server = Server(STANDS, *map(chunk, (INNODB, ARIA, SEQUENCE)), *definitions("after", VIEW))
    told = counting.count(server, tmp_path, "one", stands=True, lock_others=True)
    assert (told["tables"], told["unproved"]) == (3, [])
    assert "LOCK" not in server.script


def test_however_many_tables_take_no_part_both_leave_out_all_of_them_and_tell_how_many(tmp_path):
    tables = (INNODB, *({**ARIA, "name": f"old{number}"} for number in range(200)))
    one = counting.count(Server(*WHOLE, tables=tables), tmp_path, "one", stands=False)
    stands = Server(STANDS, chunk(INNODB), *definitions("after", VIEW), tables=tables)
    other = counting.count(stands, tmp_path, "two", stands=True)
    assert one["root"] == other["root"]
    for told in (one, other):
        assert (told["tables"], len(told["unproved"]), told["unproved_in_all"]) == (1, counting.PAGE, 200)


def test_definitions_that_change_meanwhile_are_no_count(tmp_path):
    changed = (*definitions("before", VIEW), MARK, chunk(INNODB), *definitions("after", {**VIEW, "digest": "bb"}))
    with pytest.raises(NotProved, match="Definitions changed") as error:
        counting.count(Server(*changed), tmp_path, "one", stands=False)
    assert error.value.evidence["again"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"then": (INNODB, ARIA)},
        {"then": (INNODB, ARIA, SEQUENCE, {**INNODB, "name": "new"})},
        {"refuses": 1412},
        {"refuses": 1146},
    ],
)
def test_a_table_that_is_made_altered_or_dropped_meanwhile_is_no_count(tmp_path, changes):
    with pytest.raises(NotProved, match="Definitions changed") as error:
        counting.count(Server(*WHOLE, **changes), tmp_path, "one", stands=False)
    assert error.value.evidence["again"] is True


def test_what_a_server_refuses_for_another_reason_is_told_as_that(tmp_path):
    with pytest.raises(DatabaseRefuses, match="it refuses"):
        counting.count(Server(*WHOLE, refuses=1205), tmp_path, "one", stands=False)


def test_rows_that_could_not_be_digested_are_no_count(tmp_path):
    torn = (*definitions("before"), MARK, chunk(INNODB, lost=3), *definitions("after"))
    with pytest.raises(NotProved, match="3 rows of shop.item could not be digested"):
        counting.count(Server(*torn), tmp_path, "one", stands=False)


def test_a_list_that_was_cut_is_no_count(tmp_path):
    """Two that are cut alike would be equal."""
    for cut, words in (
        ((*definitions("before", VIEW), MARK, chunk(INNODB, of=2), *definitions("after", VIEW)),
         "1 of 2 chunks of shop.item"),
        ((*definitions("before"), MARK, chunk(INNODB), *definitions("after", {**VIEW, "of": 7})),
         "1 of 7 definitions of kind view"),
    ):
        with pytest.raises(NotProved, match=f"printed {words}.*sql_select_limit"):
            counting.count(Server(*cut), tmp_path, "one", stands=False)


@pytest.mark.parametrize(("part", "words"), [("engine", "3 of 9 tables"), ("virtual", "3 of 9 columns")])
def test_an_inventory_that_was_cut_is_no_count(tmp_path, monkeypatch, part, words):
    whole = listed((INNODB, ARIA, SEQUENCE))
    cut = [{**each, "of": 9} if part in each else each for each in whole]
    server = Server(*WHOLE)
    monkeypatch.setattr(server, "documents", lambda query, patience: cut)
    with pytest.raises(NotProved, match=f"printed {words}"):
        counting.count(server, tmp_path, "one", stands=False)


@pytest.mark.parametrize(
    "other",
    [
        (*definitions("before", VIEW), MARK, chunk(INNODB, other="7"), *definitions("after", VIEW)),
        (*definitions("before"), MARK, chunk(INNODB), *definitions("after")),
    ],
)
def test_one_checksum_or_one_definition_makes_another_root(tmp_path, other):
    one = counting.count(Server(*WHOLE), tmp_path, "one", stands=False)
    same = counting.count(Server(*WHOLE), tmp_path, "two", stands=False)
    assert one["root"] == same["root"]
    assert counting.count(Server(*other), tmp_path, "three", stands=False)["root"] != one["root"]


def test_a_count_is_kept_to_be_looked_at_in_pages(tmp_path):
    told = counting.count(Server(*WHOLE), tmp_path, "one", stands=False)
    assert told["pages"] == 1
    (row, definition) = counting.page(tmp_path, "one", 0)
    assert (row[:4], definition) == (["row", "shop", "item", 2], ["definition", "view", "shop.rich", "aa"])
    assert counting.page(tmp_path, "one", 1) == []
    for name, words in (("two", "keeps no count 'two'"), ("../one", "'../one' is no name")):
        with pytest.raises(ReplicaRefused, match=words):
            counting.page(tmp_path, name, 0)


def test_only_the_newest_counts_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "KEPT", 2)
    for name in ("a", "b", "c"):
        counting.count(Server(*WHOLE), tmp_path, name, stands=False)
    kept = sorted(tmp_path.rglob("*.json"))
    assert len(kept) == 2 and all(json.loads(path.read_text())["mark"]["gtid"] == "0-1-7" for path in kept)


def test_a_server_that_cannot_compute_what_counting_needs_is_refused():
    counting.check_version("10.8.1-MariaDB")
    with pytest.raises(NotProved, match="CRC32C since 10.8"):
        counting.check_version("10.6.12-MariaDB")
