"""The plan of a clone."""

import pytest

from replicaplan import clone

from .facts import channel, down, log, replica, server


def fitness(number=2, info=None, **other):
    told = {"reasons": [], "info": info or replica(number), "replication_user": "repl", "free": 10**9,
            "incoming_exists": False}
    return {**told, **other}


def planned(told=None, fit=None, source="db1", primary="db1", silent=None, **options):
    told = {"db1": server(1), **(told or {})}
    return clone.plan(source, primary, told, fit or {"db2": fitness()}, silent or {}, **options)


def test_a_primary_is_cloned_beside_the_data_of_its_replica():
    plan, against = planned()
    assert against == []
    assert (plan.source_place, plan.target_place("db2")) == ("db1:/run/s.sock", "db2:/srv/mysql.incoming")
    assert (plan.addresses, plan.port, plan.donor_is_primary) == ({"db2": "10.0.0.1"}, 3306, True)


def test_what_will_be_moved_aside_is_in_the_plan():
    plan, _ = planned(fit={"db2": fitness(info=replica(2, logs=[log()])), "db3": fitness(3)})
    assert plan.logs == {"db2": ["binary log /var/log/mysql/bin.* (1 files, 100 bytes)"], "db3": []}


def test_a_replica_is_a_donor_for_the_primary_that_it_follows():
    plan, against = planned({"db3": replica(3)}, source="db3")
    assert (against, plan.donor_is_primary) == ([], False)
    _, against = planned({"db3": replica(3, channels=[channel(primary_id=77)])}, source="db3")
    assert against == ["db3 does not follow db1 (server_id 1)."]


def test_every_reason_comes_at_once():
    fit = {"db2": fitness(reasons=["confirm ..."], replication_user="", free=5, incoming_exists=True)}
    _, against = planned({"db1": server(1, variables={"log_bin": "OFF"})}, fit)
    assert [sentence.partition(" (log_bin)")[0][:40] for sentence in against] == [
        "db1 has no binary log", "The primary db1 has no binary log", "confirm ...",
        "db2 has no replica:replication:user in i", "db2 has /srv/mysql.incoming already. If ",
        "db2 has 5 bytes free beside /srv/mysql; ",
    ]


def test_what_is_in_the_way_is_named_with_what_removes_it():
    fit = {"db2": fitness(free=5, incoming_exists=True, old_data=["/srv/mysql.before-1", "/srv/mysql.before-2"])}
    taken, room = planned(fit=fit)[1]
    assert "salt db2 replica.discard removes it" in taken
    assert room.endswith("old data of earlier installations: /srv/mysql.before-1 and /srv/mysql.before-2.")


def test_without_an_answer_there_is_no_plan():
    assert planned(silent={"db2": "db2 is silent"}) == (None, ["db2 is silent"])


def test_nobody_is_cloned_onto_itself():
    _, against = planned(fit={"db1": fitness(1, server(1))})
    assert "db1 cannot be cloned onto itself." in against


def test_two_replicas_of_one_server_id_are_refused():
    _, against = planned(fit={"db2": fitness(2), "db3": fitness(3, replica(2))})
    assert against == ["db2 and db3 have the same server_id 2."]


def test_a_donor_has_a_server_id_of_its_own_too():
    _, against = planned({"db3": replica(2)}, source="db3")
    assert against == ["db2 and db3 have the same server_id 2."]


FOLLOWED = [{"server_id": 2, "host": ""}, {"server_id": 0, "host": "10.0.0.9"}]


def test_a_server_id_that_another_replica_of_the_primary_has_is_refused():
    _, (sentence,) = planned({"db1": server(1, replicas=FOLLOWED)}, {"db2": fitness(info=server(2, schemas=[]))})
    assert "db1 has a replica with server_id 2 already, and db2, which has that number too" in sentence


@pytest.mark.parametrize(
    "told", [replica(2), replica(2, channels=[channel(primary_id=0)]), down(replica(2)), replica(4)]
)
def test_a_replica_that_follows_the_primary_or_is_down_may_be_the_one_that_has_the_number(told):
    assert planned({"db1": server(1, replicas=FOLLOWED)}, {"db2": fitness(info=told)})[1] == []


def test_a_primary_that_logs_only_a_part_is_refused():
    _, against = planned({"db1": server(1, binlog_filters={"Binlog_Do_DB": "shop"})})
    assert against == ["The primary db1 logs only a part (Binlog_Do_DB=shop): nobody who follows it stays equal."]


def test_versions_that_cannot_be_proved_are_refused_before_anything():
    old = "10.6.16-MariaDB"
    _, against = planned({"db1": server(1, version=old)}, {"db2": fitness(info=replica(2, version=old))})
    assert [sentence.split(":")[0] for sentence in against] == [f"db1 runs MariaDB {old}", f"db2 runs MariaDB {old}"]


def test_the_address_is_one_in_the_replicas_own_network():
    head = server(1, networks=["192.168.7.1/24", "10.0.0.1/24"])
    assert clone.reached(head, replica(2)) == "10.0.0.1"
    assert clone.reached(server(1, networks=["172.16.0.1/16"]), replica(2)) == "172.16.0.1"
    assert clone.reached(server(1, networks=[]), replica(2)) == ""


def test_an_address_that_both_have_is_the_replica_itself():
    bridge = "172.17.0.1/16"
    head = server(1, networks=[bridge, "10.0.0.1/24"])
    assert clone.reached(head, replica(2, networks=[bridge, "10.0.0.2/24"])) == "10.0.0.1"
    assert clone.reached(head, replica(2, networks=[bridge, "192.168.7.2/24"])) == "10.0.0.1"
    assert clone.reached(server(1, networks=[bridge]), replica(2, networks=[bridge])) == ""
