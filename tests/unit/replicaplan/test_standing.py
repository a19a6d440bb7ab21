"""Who may be cloned, from where a new replica goes on."""

import pytest

from replicaplan import standing

from .facts import BACKUP, channel, down, files, replica, server


def test_coordinates_of_a_primarys_backup_are_those_of_its_own_log():
    found, troubles = standing.coordinates(BACKUP, donor_is_primary=True)
    assert (found["gtid"], troubles) == ("0-1-7", [])


def test_coordinates_of_a_replicas_backup_are_those_of_its_primary():
    upstream = {"file": "p.2", "position": 9, "gtid": "0-1-5"}
    found, troubles = standing.coordinates({**BACKUP, "channels": 1, "upstream": upstream}, donor_is_primary=False)
    assert (found, troubles) == (upstream, [])


def test_coordinates_that_contradict_each_other_are_refused():
    upstream = {"file": "", "position": 0, "gtid": "0-1-50"}
    _, (sentence,) = standing.coordinates({**BACKUP, "upstream": upstream}, donor_is_primary=False)
    assert "contradicts itself: received 0-1-50, logged 0-1-7" in sentence


LOG = {"files": ["b.3", "b.4"], "begins": "0-1-7,2-9-3"}


@pytest.mark.parametrize("gtid", ["0-1-7,2-9-3", "0-1-9,2-8-30,5-1-1"])
def test_a_log_that_begins_before_the_backup_ends_can_be_followed(gtid):
    assert standing.against_log({"gtid": gtid, "file": "b.1", "position": 4}, LOG, "db1") == []


@pytest.mark.parametrize(("gtid", "missing"), [("0-1-6,2-9-3", "0-1-7"), ("0-1-7", "2-9-3")])
def test_a_log_that_begins_later_is_told_with_what_is_missing(gtid, missing):
    (sentence,) = standing.against_log({"gtid": gtid, "file": "b.4", "position": 4}, LOG, "db1")
    assert f"db1 has purged its binary logs up to {missing}, and" in sentence


def test_without_gtid_the_file_has_to_be_there():
    assert standing.against_log({"gtid": "", "file": "b.4", "position": 4}, LOG, "db1") == []
    assert "purged b.2" in standing.against_log({"gtid": "", "file": "b.2", "position": 4}, LOG, "db1")[0]
    assert "no binary log" in standing.against_log({"gtid": "0-1-7"}, {"files": [], "begins": ""}, "db1")[0]


def test_without_coordinates_nothing_is_guessed():
    nowhere = {"file": "", "position": 0, "gtid": ""}
    assert standing.coordinates({**BACKUP, "coordinates": nowhere}, donor_is_primary=True)[1] != []
    assert standing.coordinates({**BACKUP, "upstream": nowhere}, donor_is_primary=False)[1] != []
    assert standing.coordinates({**BACKUP, "channels": 2, "upstream": BACKUP["coordinates"]}, False)[1] != []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (down(server()), "does not run"),
        (server(schemas=[]), "holds no schema"),
        (server(variables={"log_bin": "OFF"}), "log_bin"),
        (server(galera=True), "Galera"),
        (replica(channels=[channel(sql_errno=1062, sql_error="dup")]), "with an error: dup"),
        (replica(channels=[channel(filters={"Replicate_Do_DB": "x"})]), "only a part"),
        (replica(channels=[channel(delay=3600)]), "3600 s behind its primary on purpose"),
        (replica(channels=[channel(), channel()]), "several primaries"),
        (server(files=files(elsewhere=["shop/t.isl"])), "holds shop/t.isl, which leads to data outside of it"),
        (replica(installation={"step": "replicating"}), "not settled yet"),
    ],
)
def test_what_is_no_donor_is_refused(told, words):
    (sentence,) = standing.against_donor(told, "db1")
    assert words in sentence


def test_two_servers_of_one_id_are_named():
    assert standing.same_ids({"db1": server(1), "db2": server(2)}) == []
    assert standing.same_ids({"db1": server(1), "db2": server(1)}) == ["db1 and db2 have the same server_id 1."]


def test_a_target_that_can_read_the_donors_files_is_none_to_refuse():
    assert standing.against_pair(server(), replica(), "db2") == []


@pytest.mark.parametrize(
    ("donor", "target", "words"),
    [
        (server(variables={"innodb_page_size": 65536}), replica(), "innodb_page_size=16384, the donor 65536"),
        (server(), replica(variables={"lower_case_table_names": 1}), "lower_case_table_names=1, the donor 0"),
        (server(vendor="mysql"), replica(), "db2 runs mariadb, the donor mysql"),
        (server(version="11.4.2-MariaDB"), replica(), "is older than the donor's 11.4.2-MariaDB"),
        (server(plugins=["file_key_management"]), replica(), "lacks plugins that the donor has: file_key_management"),
        (server(), replica(tools={}), "no backup tool"),
    ],
)
def test_a_target_has_to_be_able_to_read_the_donors_files(donor, target, words):
    (sentence,) = standing.against_pair(donor, target, "db2")
    assert words in sentence


def isolated(variables=None, **other):
    """A server that was started on new data as it should be."""
    return server(variables={"read_only": "ON", **(variables or {})}, **other)


def test_a_server_is_isolated_when_it_is_all_it_should_be():
    assert standing.against_isolation(isolated(), "/srv/mysql", BACKUP) == []
    halted = isolated(channels=[channel(io="No", sql="No")])
    assert standing.against_isolation(halted, "/srv/mysql", BACKUP) == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (isolated(datadir="/srv/other"), "runs on /srv/other, not on /srv/mysql"),
        (isolated({"read_only": "OFF"}), "did not start read-only"),
        (isolated({"event_scheduler": "ON"}), "The event scheduler runs on the new data"),
        (isolated(channels=[channel(sql="No")]), "Replication started by itself"),
        (isolated(channels=[channel(io="No")]), "Replication started by itself"),
        (isolated(schemas=[]), "shows 0 schemas where the backup has 1"),
        (isolated({"replicate_do_db": "shop", "replicate_ignore_db": ""}), "only a part (replicate_do_db=shop)"),
    ],
)
def test_a_server_that_is_not_isolated_is_told_why(told, words):
    (sentence,) = standing.against_isolation(told, "/srv/mysql", BACKUP)
    assert words in sentence
