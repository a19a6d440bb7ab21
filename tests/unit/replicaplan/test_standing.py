"""Whose data may be replaced, who may be cloned, from where a new replica goes on."""

import pytest

from replicaplan import standing

from .facts import BACKUP, channel, replica, server


def against(told, **options):
    return standing.against_replacing(told, "db2", "db2", **options)


def test_a_healthy_replica_may_be_replaced():
    assert against(replica()) == []


def test_a_server_that_is_down_may_be_replaced():
    assert against(replica(running=False)) == []


def test_an_empty_server_may_be_replaced():
    assert against(server(schemas=[])) == []


def test_the_name_of_the_host_has_to_be_repeated():
    (sentence,) = standing.against_replacing(replica(), "db2", "")
    assert "confirm has to name the host whose data is replaced: db2" in sentence


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (server(), "it may be a primary"),
        (replica(replicas=[{"server_id": 3, "host": "db3"}]), "has replicas of its own (db3)"),
        (replica(galera=True), "Galera"),
        (replica(channels=[channel(), channel(name="two")]), "follows 2 primaries"),
        (replica(clients=4), "has 4 clients connected"),
        (replica(vendor="percona"), "only MariaDB"),
        (replica(variables={"innodb_undo_directory": "/fast/undo"}), "innodb_undo_directory=/fast/undo"),
        (replica(variables={"gtid_binlog_state": "0-1-9,0-2-11", "gtid_slave_pos": "0-1-9"}), "0-2-11"),
    ],
)
def test_what_must_not_be_lost_is_refused(told, words):
    (sentence,) = against(told)
    assert words in sentence


def test_every_reason_is_told_at_once():
    assert len(against(server(replicas=[{"server_id": 3, "host": "db3"}], clients=2, galera=True))) == 4


def test_what_a_person_permits_is_permitted():
    assert against(replica(clients=4), in_service=True) == []
    own = replica(variables={"gtid_binlog_state": "0-2-11", "gtid_slave_pos": "0-1-9"})
    assert against(own, discard_own_writes=True) == []


def test_directories_inside_the_data_directory_are_no_reason():
    inside = {"innodb_undo_directory": "./", "innodb_log_group_home_dir": "/srv/mysql/log"}
    assert against(replica(variables=inside)) == []
    assert len(against(replica(variables={"innodb_data_home_dir": "/srv/mysql-other"}))) == 1


def test_a_mount_point_is_refused_with_a_place_that_would_do():
    assert standing.against_place(replica(), "db2") == []
    (sentence,) = standing.against_place(replica(datadir_is_mount=True), "db2")
    assert "a mount point and cannot be exchanged" in sentence and "such as /srv/mysql/data" in sentence


def test_own_writes_that_came_round_through_the_primary_are_none():
    told = replica(variables={"gtid_binlog_state": "0-2-5,0-1-9", "gtid_slave_pos": "0-1-9"})
    assert standing.own_writes(told, "db2") == []


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
        (server(running=False), "does not run"),
        (server(schemas=[]), "holds no schema"),
        (server(variables={"log_bin": "OFF"}), "log_bin"),
        (server(galera=True), "Galera"),
        (replica(channels=[channel(sql_errno=1062, sql_error="dup")]), "with an error: dup"),
        (replica(channels=[channel(filters={"Replicate_Do_DB": "x"})]), "only a part"),
        (replica(channels=[channel(delay=3600)]), "3600 s behind its primary on purpose"),
        (replica(channels=[channel(), channel()]), "several primaries"),
        (replica(installation={"step": "replicating"}), "not settled yet"),
    ],
)
def test_what_is_no_donor_is_refused(told, words):
    (sentence,) = standing.against_donor(told, "db1")
    assert words in sentence


def test_two_servers_of_one_id_are_named():
    assert standing.same_ids({"db1": server(1), "db2": server(2)}) == []
    assert standing.same_ids({"db1": server(1), "db2": server(1)}) == ["db1 and db2 have the same server_id 1."]


def test_a_target_has_to_be_able_to_read_the_donors_files():
    fitting = replica()
    assert standing.against_pair(server(), fitting, "db2") == []
    assert standing.against_pair(server(version="11.4.2-MariaDB"), fitting, "db2") != []
    assert standing.against_pair(server(variables={"innodb_page_size": 65536}), fitting, "db2") != []
    assert standing.against_pair(server(plugins=["file_key_management"]), fitting, "db2") != []
    assert standing.against_pair(server(), replica(tools={}), "db2") != []


def test_a_server_is_isolated_when_it_is_all_it_should_be():
    told = server(variables={"read_only": "ON"})
    assert standing.against_isolation(told, "/srv/mysql", BACKUP) == []
    assert standing.against_isolation(told, "/srv/other", BACKUP) != []
    assert standing.against_isolation(server(), "/srv/mysql", BACKUP) != []
    assert standing.against_isolation({**told, "schemas": []}, "/srv/mysql", BACKUP) != []
    assert standing.against_isolation({**told, "channels": [channel()]}, "/srv/mysql", BACKUP) != []
