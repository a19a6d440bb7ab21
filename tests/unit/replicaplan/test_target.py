"""Whose data may be replaced."""

import pytest

from replicaplan.target import against_replacing, own_writes

from .facts import channel, down, files, replica, server


def against(told, **options):
    return against_replacing(told, "db2", "db2", **options)


def test_a_healthy_replica_may_be_replaced():
    assert against(replica()) == []


NOTHING = files(schemas=0)


@pytest.mark.parametrize(
    "told",
    [
        down(replica()),
        down(replica(), "failed"),
        down(server(datadir_exists=False, files=NOTHING)),
        down(server(files=NOTHING), "failed"),
    ],
)
def test_a_replica_that_is_down_or_one_whose_data_is_gone_may_be_replaced(told):
    assert against(told) == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (down(server()), "it may have been a primary"),
        (down(server(files=files(galera=True, channels=1))), "was a node of a Galera cluster"),
        (down(replica(variables={"wsrep_on": "TRUE"})), "was a node of a Galera cluster"),
        (down(replica(files=files(channels=2))), "follows 2 primaries"),
        (down(replica(), "active"), "nobody answers at /run/s.sock"),
    ],
)
def test_what_was_no_replica_for_certain_is_not_replaced_when_it_is_down(told, words):
    (sentence,) = against(told)
    assert words in sentence


def test_a_person_may_say_that_what_was_a_primary_is_given_up_but_not_a_node_of_galera():
    assert against(down(server()), discard_own_writes=True) == []
    assert against(down(server(files=files(galera=True))), discard_own_writes=True) != []


def test_an_empty_server_may_be_replaced():
    assert against(server(schemas=[])) == []


def test_the_name_of_the_host_has_to_be_repeated():
    (sentence,) = against_replacing(replica(), "db2", "")
    assert "confirm has to name the host whose data is replaced: db2" in sentence


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (server(), "it may be a primary"),
        (replica(variables={"read_only": "OFF"}, channels=[channel(io="No", sql="No")]), "it may be a primary"),
        (replica(replicas=[{"server_id": 3, "host": "db3"}]), "has replicas of its own (db3)"),
        (replica(galera=True), "Galera"),
        (replica(channels=[channel(), channel(name="two")]), "follows 2 primaries"),
        (replica(clients=4), "has 4 clients connected"),
        (replica(vendor="percona"), "only MariaDB"),
        (replica(variables={"innodb_undo_directory": "/fast/undo"}), "innodb_undo_directory=/fast/undo"),
        (server(variables={"read_only": "ON", "replicate_wild_do_table": "shop.%"}), "is set to replicate only a part"),
        (replica(channels=[channel(filters={"Replicate_Do_DB": "shop"})]), "applies only a part"),
        (replica(channels=[channel(delay=3600)]), "3600 s behind its primary on purpose"),
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


def test_the_data_directory_itself_is_no_reason():
    inside = {
        "innodb_undo_directory": "./", "innodb_log_group_home_dir": "/srv/mysql/", "aria_log_dir_path": "/srv/mysql",
        "innodb_data_file_path": "ibdata1:12M;./ibdata2:12M:autoextend",
    }
    assert against(replica(variables=inside)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("innodb_data_home_dir", "/srv/mysql-other"),
        ("innodb_undo_directory", "../undo"),
        ("aria_log_dir_path", "/fast/aria"),
        ("innodb_data_file_path", "ibdata1:12M;/fast/ibdata2:12M:autoextend"),
        ("innodb_data_file_path", "../ibdata1:12M:autoextend"),
    ],
)
def test_files_outside_of_the_data_directory_are_a_reason(name, value):
    (sentence,) = against(replica(variables={name: value}))
    assert f"db2 has {name}=" in sentence and "outside of its data directory /srv/mysql" in sentence


def test_data_to_which_a_link_or_an_isl_file_leads_is_a_reason():
    (sentence,) = against(replica(files=files(channels=1, elsewhere=["shop/t.isl", "blog"])))
    assert "/srv/mysql of db2 holds shop/t.isl, ..., which leads to data outside of it" in sentence


def test_own_writes_that_came_round_through_the_primary_are_none():
    told = replica(variables={"gtid_binlog_state": "0-2-5,0-1-9", "gtid_slave_pos": "0-1-9"})
    assert own_writes(told, "db2") == []
