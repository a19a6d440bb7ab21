"""What makes a proof, and what each difference does to it."""

import pytest

from replicaplan import proof

from .facts import channel, replica

COUNT = {"mark": {"file": "b.1", "position": 9, "gtid": "0-1-7"}, "root": "aa", "tables": 2, "rows": 30, "objects": 5}


def test_equal_counts_at_one_position_are_equal():
    position, content = proof.of_counts(COUNT, COUNT)
    assert (position.ok, position.text) == (True, "both were counted at 0-1-7")
    assert (content.ok, content.text) == (True, "2 tables with 30 rows and 5 definitions are equal at 0-1-7")


def test_another_root_or_another_position_is_no_proof():
    assert not proof.of_counts(COUNT, {**COUNT, "root": "bb"})[1].ok
    elsewhere = {**COUNT, "mark": {**COUNT["mark"], "gtid": "0-1-8"}}
    position = proof.of_counts(COUNT, elsewhere)[0]
    assert (position.ok, position.text) == (False, "the primary was counted at 0-1-7, the replica at 0-1-8")


def replicating(**told):
    """{what: whether it is so} of a replica of db1, which is server 1."""
    return {each.what: each.ok for each in proof.of_replication(replica(**told), "db1", 1)}


def test_threads_and_read_only_are_part_of_it():
    assert replicating() == {"threads": True, "source": True, "read_only": True}
    assert replicating(variables={"read_only": "OFF"})["read_only"] is False
    assert replicating(channels=[channel(sql="No", sql_error="dup")])["threads"] is False
    assert replicating(channels=[]) == {"threads": False, "source": False, "read_only": True}


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ([channel(primary_id=7)], "it follows server 7, and db1 is server 1"),
        ([channel(), channel(name="b")], "it follows 2 primaries"),
        ([channel(filters={"Replicate_Do_DB": "shop"})], "it applies only a part: Replicate_Do_DB"),
    ],
)
def test_who_follows_another_or_only_in_part_is_not_proved(channels, words):
    (source,) = [each for each in proof.of_replication(replica(channels=channels), "db1", 1) if each.what == "source"]
    assert (source.ok, source.text) == (False, words)


def test_whom_it_follows_is_told_as_the_replica_tells_it():
    threads, source, _ = proof.of_replication(replica(channels=[channel(primary="10.0.0.9")]), "db1", 1)
    assert threads.text == "both threads run, following 10.0.0.9"
    assert source.text == "it follows db1 (server 1), without filters"


def test_own_transactions_are_errant_unless_the_primary_knows_them():
    primary = {"state": "0-1-9,0-2-4"}
    assert proof.of_writes({"state": "0-1-9,0-2-4"}, primary, 2).ok
    assert not proof.of_writes({"state": "0-1-9,0-2-5"}, primary, 2).ok
    assert not proof.of_writes({"state": "3-2-1"}, primary, 2).ok


def test_nothing_sampled_is_no_arrival():
    assert proof.of_arrival("") == proof.Check(
        "arrival", False, "the primary has logged nothing yet, so nothing could arrive: write there first"
    )
    assert not proof.of_arrival("0-1-2", "it is late").ok


def test_differences_are_named():
    one = [["row", "x", "t", 3, "aa"], ["row", "x", "u", 3, "aa"], ["row", "x", "v", 1, "aa"]]
    one += [["definition", "view", "x.w", "d"]]
    one += [["definition", "table", "x.v", "d"]]
    other = [["row", "x", "t", 4, "bb"], ["row", "x", "u", 3, "bb"], ["definition", "view", "x.w", "e"]]
    assert proof.differences(one, other) == [
        "'table x.v' is only on the primary.",
        "'view x.w' differs.",
        "'table x.t' has 3 rows on the primary and 4 on the replica.",
        "'table x.u' differs.",
        "'table x.v' was counted only on the primary.",
    ]


def test_many_differences_are_counted():
    rows = [["row", "x", f"t{number}", 1, "aa"] for number in range(50)]
    assert proof.differences(rows, [])[-1] == "and 30 more."


def test_a_report_is_proved_only_if_every_check_is():
    good = proof.Check("threads", True, "run")
    assert proof.report([good], COUNT, [])["proved"]
    assert not proof.report([good, proof.Check("content", False, "differ")], COUNT, [])["proved"]
