"""When a replica is repaired without a hand, and everything that prevents it."""

from dataclasses import replace

import pytest
import salt.utils.args

from replicaplan import repair
from replicaplan.errors import ReplicaRefused

from .facts import channel, down, files, replica, server, unit

CLUSTER = repair.Cluster("main", "db1", ("db2", "db3"))
RULES = repair.Rules((CLUSTER,), cooldown=600, daily=2)
NOW = 1_000_000.0
STOPPED = channel(sql="No", sql_errno=1062, sql_error="Duplicate entry")
WOUNDED = replica(channels=[STOPPED])
CRASHED_NOW = down(replica(), "failed")
LOST = down(replica(datadir_exists=False, files=files(schemas=0)), "failed")
EMPTIED = server(2, schemas=[], settled=True)
STOPPED_BY_HAND = channel(io="No", sql="No")
BY_NAME = channel(primary="db2.example.net", primary_id=2, io="Connecting", lag=None)


def decide(host="db2", broken=None, ledger=None, silent=None, cluster=CLUSTER, **others):
    told = {"db1": server(1), "db2": replica(2), "db3": replica(3), **others}
    told[host] = broken or told[host]
    told = {name: each for name, each in told.items() if name not in (silent or {})}
    return repair.decide(cluster, host, told, silent or {}, ledger or repair.Ledger(), RULES, NOW)


BROKEN = [
    replica(datadir_exists=False),
    CRASHED_NOW,
    LOST,
    EMPTIED,
    server(2, {"gtid_binlog_state": "0-1-99"}, schemas=[], settled=True),
    WOUNDED,
    replica(channels=[channel(io="No", io_errno=1236, io_error="Could not find first log file")]),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_repaired_from_a_healthy_replica(broken):
    decision = decide(broken=broken)
    assert (decision.verdict, decision.donor) == ("broken", "db3")


HEALTHY = [
    replica(),
    replica(channels=[channel(io="No", sql="No")]),
    replica(channels=[channel(io="Connecting", io_errno=2003, io_error="cannot connect")]),
    down(replica()),
    server(2, installation={"step": "started"}),
]


@pytest.mark.parametrize("told", HEALTHY)
def test_what_is_well_or_was_stopped_by_a_person_is_left_alone(told):
    assert decide(broken=told).verdict == "healthy"


CRASHED = repair.Attempt("db2", "main", NOW - 10_000, "failed: no way", down=True)
BACK_DOWN = down(replica())


@pytest.mark.parametrize(
    ("attempt", "told", "verdict"),
    [
        (CRASHED, BACK_DOWN, "broken"),
        (replace(CRASHED, result="begun"), BACK_DOWN, "broken"),
        (replace(CRASHED, result="repaired"), BACK_DOWN, "healthy"),
        (replace(CRASHED, down=False), BACK_DOWN, "healthy"),
        (CRASHED, replica(), "healthy"),
        (CRASHED, {**BACK_DOWN, "unit": unit(masked=True)}, "forbidden"),
    ],
)
def test_a_crash_that_a_repair_did_not_mend_is_one_still(attempt, told, verdict):
    """The unit is no longer failed then: its server was started on new data, and stopped."""
    assert decide(broken=told, ledger=repair.Ledger((attempt,))).verdict == verdict


def test_a_stranger_is_never_touched():
    assert decide(cluster=None).verdict == "forbidden"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "db1", "broken": server(1, channels=[STOPPED])}, "is the primary of main"),
        ({"broken": replica(channels=[STOPPED], replicas=[{"server_id": 9, "host": "x"}])}, "has replicas of its own"),
        ({"broken": server(2, datadir_exists=False)}, "may be a primary"),
        ({"broken": server(2, datadir_exists=False, schemas=[])}, "may be a primary"),
        ({"broken": WOUNDED, "db3": replica(3, channels=[channel(primary="10.0.0.2")])}, "db3 follow db2"),
        ({"broken": CRASHED_NOW, "db3": replica(3, channels=[channel(primary="10.0.0.2")])}, "db3 follow db2"),
        ({"broken": CRASHED_NOW, "db3": replica(3, channels=[BY_NAME])}, "db3 follow db2"),
        ({"broken": LOST, "db3": replica(3, channels=[BY_NAME])}, "db3 follow db2"),
        ({"broken": WOUNDED, "db1": server(1, running=False)}, "The primary db1 does not run"),
        ({"broken": WOUNDED, "db1": replica(1)}, "is not the primary any more"),
        ({"broken": down(replica(), unit=unit("failed", masked=True))}, "is masked"),
        ({"broken": replica(channels=[STOPPED], installation={"step": "started"})}, "has an installation under way"),
        ({"broken": down(server(2), "failed")}, "it may have been a primary"),
        ({"broken": down(server(2, files=files(galera=True)), "failed")}, "a node of a Galera cluster"),
        ({"broken": down(replica(), "failed", options_known=False)}, "is started in a way that is not understood"),
        ({"broken": down(replica(), "failed", processes=[5])}, "A server (process 5) works in /srv/mysql"),
        ({"broken": BROKEN[0], "db1": server(1, {"read_only": "ON"})}, "db1 is read-only"),
        ({"broken": server(2)}, "db2 runs and follows nobody"),
        ({"broken": server(2, schemas=[])}, "db2 runs and follows nobody"),
        ({"broken": server(2, settled=True)}, "db2 runs and follows nobody"),
        ({"broken": server(2, {"gtid_binlog_state": "0-2-1"}, schemas=[], settled=True)}, "follows nobody"),
        ({"broken": replica(channels=[{**STOPPED, "delay": 3600}])}, "behind its primary on purpose"),
        ({"broken": replica(channels=[{**STOPPED, "filters": {"Replicate_Do_DB": "x"}}])}, "only a part"),
    ],
)
def test_a_guard_holds_back(options, words):
    decision = decide(**options)
    assert decision.verdict == "forbidden"
    assert any(words in reason for reason in decision.reasons)


def test_a_flapping_replica_cools_down_and_a_cluster_has_a_daily_number():
    begun = repair.Attempt("db2", "main", NOW - 60)
    decision = decide(broken=WOUNDED, ledger=repair.Ledger((begun,)))
    assert "cooldown goes on for 540 s" in decision.reasons[-1]
    others = tuple(repair.Attempt("db3", "main", NOW - age) for age in (7000, 8000))
    decision = decide(broken=WOUNDED, ledger=repair.Ledger(others))
    assert "2 automatic repairs within a day" in decision.reasons[-1]
    old = tuple(repair.Attempt("db2", "main", NOW - age) for age in (90_000, 95_000))
    assert decide(broken=WOUNDED, ledger=repair.Ledger(old)).verdict == "broken"


@pytest.mark.parametrize(
    ("results", "left"),
    [((), False), (("begun",), True), (("begun", "failed: x"), True), (("begun", "repaired"), False),
     (("repaired", "begun"), True), (("failed: x",), False)],
)
def test_what_a_dead_repair_left_is_there_until_one_goes_well(results, left):
    attempts = [repair.Attempt("db2", "main", NOW, result) for result in results]
    other = repair.Attempt("db3", "main", NOW, "repaired")
    assert repair.Ledger((*attempts, other)).left_behind("db2") is left


@pytest.mark.parametrize("active", ["activating", "deactivating", "active"])
def test_a_server_that_is_about_to_become_something_is_unsettled(active):
    assert decide(broken=down(replica(), active)).verdict == "unsettled"
    assert decide(broken=down(replica(datadir_exists=False), active)).verdict == "unsettled"


@pytest.mark.parametrize("who", ["db1", "db2"])
def test_who_cannot_be_asked_is_asked_again(who):
    decision = decide(broken=WOUNDED, silent={who: "no answer"})
    assert (decision.verdict, decision.reasons) == ("unsettled", (f"{who} cannot be asked: no answer",))


@pytest.mark.parametrize("broken", [CRASHED_NOW, LOST, EMPTIED])
def test_while_somebody_cannot_be_asked_a_host_that_cannot_tell_who_follows_it_is_left_alone(broken):
    decision = decide(broken=broken, silent={"db3": "no answer"})
    assert decision.verdict == "unsettled"
    assert decision.reasons[-1] == "Nobody knows whether db3 follows db2: db3 cannot be asked: no answer"
    assert decide(broken=WOUNDED, silent={"db3": "no answer"}).verdict == "broken"
    assert decide(broken=broken, db3=down(server(3)), silent={}).verdict == "broken"


def test_who_follows_a_name_and_has_not_learnt_whose_it_is_may_follow_the_broken_host():
    nobody_knows = channel(primary="db.example.net", primary_id=0, io="No", sql="No")
    decision = decide(broken=CRASHED_NOW, db3=replica(3, channels=[nobody_knows]))
    assert decision.verdict == "unsettled"
    assert "db3 follows db.example.net, and has not been connected since it started" in decision.reasons[-1]
    assert decide(broken=WOUNDED, db3=replica(3, channels=[nobody_knows])).verdict == "broken"
    by_address = replica(3, channels=[{**nobody_knows, "primary": "10.0.0.1"}])
    assert decide(broken=CRASHED_NOW, db3=by_address).verdict == "broken"


FOUR = repair.Cluster("main", "db1", ("db2", "db3", "db4"))
PROMOTED = server(2, replicas=[{"server_id": 3, "host": "db3"}])
OF_DB2 = channel(primary="10.0.0.2", primary_id=2)
PURGED = {"io": "No", "io_errno": 1236, "io_error": "purged"}
FOLLOWED = replica(3, channels=[{**OF_DB2, **PURGED}])
LOST_DB3 = down(replica(3, datadir_exists=False, files=files(schemas=0)), "failed")


@pytest.mark.parametrize("broken", [FOLLOWED, LOST_DB3, replica(3, channels=[channel(**PURGED)])])
@pytest.mark.parametrize("other", [PROMOTED, server(2), replica(2, {"read_only": "OFF"}, channels=[STOPPED_BY_HAND])])
def test_after_a_failover_nothing_is_rebuilt_below_the_old_primary(broken, other):
    """It came back with stale data, and is what the configuration still names."""
    decision = decide(host="db3", broken=broken, db2=other)
    assert decision.verdict == "forbidden"
    assert "db2 is writable and follows nobody: it may be the primary of main now" in " ".join(decision.reasons)


def test_a_replica_that_follows_another_server_is_not_moved_below_the_configured_primary():
    for one in (OF_DB2, {**OF_DB2, "primary_id": 0}, {**OF_DB2, "primary": "x.example.net", "primary_id": 9}):
        decision = decide(host="db3", broken=replica(3, channels=[{**one, **PURGED}]), db2=down(replica(2)))
        assert decision.verdict == "forbidden"
        assert f"db3 follows {one['primary']}" in " ".join(decision.reasons)
        assert "which is not db1" in " ".join(decision.reasons)


def test_where_another_replica_follows_another_server_a_person_has_to_look():
    decision = decide(host="db3", broken=LOST_DB3, cluster=FOUR, db2=down(server(2)), db4=replica(4, channels=[OF_DB2]))
    assert decision.verdict == "forbidden"
    assert "db4 follows 10.0.0.2 (server 2), which is not db1" in " ".join(decision.reasons)


@pytest.mark.parametrize("channels", [[OF_DB2], [channel(primary="10.1.0.9", primary_id=9), channel()]])
def test_a_replica_of_a_replica_or_of_several_primaries_is_no_sign_of_a_failover(channels):
    decision = decide(host="db3", broken=LOST_DB3, cluster=FOUR, db4=replica(4, channels=channels))
    assert decision.verdict == "broken"


@pytest.mark.parametrize("other", [replica(2, {"read_only": "OFF"}), server(2, schemas=[]), down(server(2))])
def test_a_replica_that_may_be_written_to_or_is_empty_or_down_is_no_second_head(other):
    assert decide(host="db3", broken=LOST_DB3, db2=other).verdict == "broken"


def test_what_forbids_a_repair_is_told_also_while_somebody_is_silent():
    decision = decide(broken=down(server(2), "failed"), silent={"db3": "no answer"})
    assert decision.verdict == "forbidden"


def test_the_primary_is_the_last_choice_for_a_donor():
    assert decide(broken=WOUNDED, db3=down(replica(3))).donor == "db1"
    late = replica(3, channels=[channel(lag=500)])
    four = repair.Cluster("main", "db1", ("db2", "db3", "db4"))
    assert decide(broken=WOUNDED, db3=late, db4=replica(4), cluster=four).donor == "db4"


STANDS = replica(3, channels=[channel(io="No", sql="No", lag=None)])
CONNECTING = replica(3, channels=[channel(io="Connecting", lag=None)])


@pytest.mark.parametrize("other", [STANDS, CONNECTING, replica(3, channels=[channel(lag=repair.LATE + 1)])])
def test_a_replica_that_stands_or_is_far_behind_is_a_worse_donor_than_the_primary(other):
    assert decide(broken=WOUNDED, db3=other).donor == "db1"


def test_where_the_primary_may_not_be_cloned_a_late_replica_is_better_than_none_but_not_one_that_stands():
    galera = server(1, galera=True)
    late = replica(3, channels=[channel(lag=repair.LATE + 1)])
    assert decide(broken=WOUNDED, db1=galera, db3=late).donor == "db3"
    assert decide(broken=WOUNDED, db1=galera, db3=STANDS).verdict == "forbidden"


def test_a_configured_donor_is_not_replaced_by_another():
    chosen = repair.Cluster("main", "db1", ("db2", "db3"), donor="db3")
    assert decide(broken=WOUNDED, db3=down(replica(3)), cluster=chosen).verdict == "forbidden"


def test_rules_are_read_and_everything_wrong_is_named():
    read = repair.rules({"clusters": {"main": {"primary": "db1", "replicas": ["db2"]}}, "daily": 5})
    assert (read.daily, read.cluster_of("db2").primary, read.cluster_of("x")) == (5, "db1", None)
    assert repair.rules(None).clusters == ()
    with pytest.raises(ReplicaRefused) as error:
        repair.rules({"clusters": {"main": {"primary": "db1"}, "b": {"primary": "x", "replicas": ["x"]}}})
    assert len(error.value.evidence["reasons"]) == 2
    with pytest.raises(ReplicaRefused, match="dayly is no setting"):
        repair.rules({"dayly": 1})


@pytest.mark.parametrize(
    "second",
    [{"primary": "db2", "replicas": ["db3"]}, {"primary": "db3", "replicas": ["db2"]},
     {"primary": "db1", "replicas": ["db2"]}],
)
def test_a_host_belongs_to_one_cluster(second):
    """Of a chain db1, db2, db3 in two clusters the middle one is a primary, and would be rebuilt as a replica."""
    with pytest.raises(ReplicaRefused, match="db2 is in the clusters a and b; a host belongs to one"):
        repair.rules({"clusters": {"a": {"primary": "db1", "replicas": ["db2"]}, "b": second}})


WELL = {"primary": "db1", "replicas": ["db2", "db3"]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cooldown": True}, "cooldown in the master's configuration has to be a whole number of seconds, .* not True"),
        ({"cooldown": -1}, "a whole number of seconds, 0 or more, not -1"),
        ({"daily": -1}, "daily in the master's configuration has to be a whole number, 0 or more, not -1"),
        ({"approve": 1}, "approve in the master's configuration has to be true or false, not 1"),
        ({"state": "rel/ative"}, "state in the master's configuration has to be an absolute path, not 'rel/ative'"),
        ({"clusters": {2024: WELL}}, "clusters: 2024 is no name"),
        ({"clusters": {"": WELL}}, "clusters: '' is no name"),
        ({"clusters": {"n" * 121: WELL}}, "is no name, which is a text in quotes of at most 120 bytes"),
        ({"clusters": {"a": {**WELL, "replicas": ["db2", 7, None, ["q"]]}}}, "7 is no name.*None is no.*'q'. is no"),
        ({"clusters": {"a": {**WELL, "primary": "db1\u2028"}}}, "'db1.u2028' is no name"),
        ({"clusters": {"a": {**WELL, "replicas": ["db2", "db3", "db2"]}}}, "a has db2 twice as a replica"),
        ({"clusters": {"a": {**WELL, "donor": "elsewhere"}}}, "donor has to be one of its hosts, not elsewhere"),
    ],
)
def test_what_no_repair_could_go_by_is_refused_where_it_stands(settings, words):
    with pytest.raises(ReplicaRefused, match=words):
        repair.rules(settings)


def test_no_repair_at_all_and_no_cooldown_are_rules_too():
    read = repair.rules({"daily": 0, "cooldown": 0, "clusters": {"n" * 120: {**WELL, "donor": "db3"}}})
    assert (read.daily, read.cooldown, read.clusters[0].donor) == (0, 0, "db3")


def test_the_name_of_a_proposal_is_a_word_however_it_is_typed():
    """Salt reads what looks like a number on a command line as one, and 12 hexadecimal digits sometimes do."""
    names = [repair.proposal_id("db2", [str(number)]) for number in range(5000)]
    assert [name for name in names if salt.utils.args.yamlify_arg(name) != name] == []
    assert len({*names}) == len(names)


def test_the_same_trouble_is_proposed_once():
    assert repair.proposal_id("db2", ["a"]) == repair.proposal_id("db2", ["a"]) != repair.proposal_id("db3", ["a"])


def test_what_differs_only_in_a_place_of_the_log_is_the_same_trouble():
    one, other, another = (
        repair.troubles(replica(channels=[channel(sql="No", sql_errno=number, sql_error=f"at {place}")]), "db2")
        for number, place in ((1032, 4711), (1032, 4812), (1062, 4711))
    )
    assert repair.proposal_id("db2", one) == repair.proposal_id("db2", other) != repair.proposal_id("db2", another)
