"""The story of a clone: its order, and what is taken back where when a step fails."""

from types import SimpleNamespace

import pytest

from replicamaster import cloning, story
from replicamaster.asking import HostSilent
from replicamaster.courier import Copied
from replicaplan.errors import BackupUnfit, ReplicaError, ReplicaRefused
from tests.unit.replicaplan.facts import BACKUP, channel, replica

from .fakes import COUNT, Hosts

WISH = cloning.Wish("db1", ("db2", "db3"), "db1", confirm=("db2", "db3"))
INSTALLED = ["prepare", "install", "start_isolated", "point", "start_replication", "pause", "advance", "go_on"]
ALL = [*INSTALLED, "proved", "settle"]


def clone(hosts, wish=WISH, copy=None, complete=None, **lost):
    """The clone; `lost` is what a Copied says of who lost the backup, `complete` what becomes of that."""
    copied, said = [], []

    def copy_it(source, places):
        copied.append((source, places))
        if copy:
            raise copy
        return Copied({"transfer": "t"}, **lost)

    courier = SimpleNamespace(copy=copy_it, complete=complete)
    report = cloning.clone(hosts, wish, courier, lambda what, details: said.append(what))
    return report, copied, said


def test_one_backup_goes_to_all_and_each_is_proved_before_the_next():
    hosts = Hosts("db2", "db3")
    report, copied, said = clone(hosts)
    assert copied == [("db1:/run/s.sock", ["db2:/srv/mysql.incoming", "db3:/srv/mysql.incoming"])]
    assert hosts.steps("db2") == hosts.steps("db3") == ALL
    assert hosts.asked.index(("db2", "settle")) < hosts.asked.index(("db3", "install"))
    assert all(each["proof"]["proved"] and each["kept"] for each in report["replicas"].values())
    assert set(report["seconds"]) == {
        "check", "copy", "prepare", "install", "start", "replicate", "prove", "total",
    }
    assert said[:3] == ["check", "copy", "prepare"]


def test_the_seconds_of_a_step_hold_no_other_step(monkeypatch):
    moments = iter(range(1000))
    monkeypatch.setattr(story, "time", SimpleNamespace(monotonic=lambda: float(next(moments))))
    report, _, _ = clone(Hosts("db2"), cloning.Wish("db1", ("db2",), "db1"))
    steps = {name: seconds for name, seconds in report["seconds"].items() if name != "total"}
    assert set(steps.values()) == {1.0}


def test_the_old_data_goes_only_when_asked_and_only_after_the_proof():
    hosts = Hosts("db2")
    clone(hosts, cloning.Wish("db1", ("db2",), "db1", keep_old=False))
    assert hosts.steps("db2") == [*ALL, "drop_old"]


STEPS = (
    "start_isolated", "point", "start_replication", "wait", "pause", "advance", "count", "go_on", "proved", "settle",
)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_is_taken_back_and_the_next_host_is_not_touched(step):
    hosts = Hosts("db2", "db3", fails=[("db2", step)])
    with pytest.raises(ReplicaError, match=f"db2: {step} failed"):
        clone(hosts)
    assert hosts.steps("db2")[-2:] == ["roll_back", "discard"]
    assert hosts.steps("db3") == ["prepare", "discard"]


def test_a_second_host_that_fails_leaves_the_first_one_settled():
    hosts = Hosts("db2", "db3", fails=[("db3", "start_isolated")])
    with pytest.raises(ReplicaError) as error:
        clone(hosts)
    assert error.value.evidence["settled"] == ["db2"]
    assert hosts.steps("db2") == ALL


def test_an_unequal_replica_is_taken_back_and_the_difference_is_named():
    other = {**COUNT, "root": "bb"}
    counts = {"db1": COUNT, "db2": other}
    pages = {"db1": [["row", "x", "t", 3, "aa"]], "db2": [["row", "x", "t", 4, "bb"]]}
    hosts = Hosts("db2", count=counts.__getitem__, page=pages.__getitem__)
    with pytest.raises(ReplicaError, match="'table x.t' has 3 rows on the primary and 4 on the replica"):
        clone(hosts, cloning.Wish("db1", ("db2",), "db1"))
    assert hosts.steps("db2")[-2:] == ["roll_back", "discard"]


def test_a_copy_that_fails_stops_no_server_and_removes_nothing_that_somebody_else_brought():
    hosts = Hosts("db2", "db3")
    with pytest.raises(ReplicaError, match="exists already"):
        clone(hosts, copy=ReplicaError("/srv/mysql.incoming of db2 exists already"))
    assert hosts.steps("db2") == hosts.steps("db3") == []


LOST = {"missing": ("db2",), "why": "db2: the worker was killed."}


def test_who_lost_the_backup_is_left_out_and_named_when_the_others_are_done():
    hosts = Hosts("db2", "db3")
    report, _, said = clone(hosts, **LOST)
    assert hosts.steps("db3") == ALL
    assert hosts.steps("db2") == []
    assert (list(report["replicas"]), list(report["left"]), "complete" in said) == (["db3"], ["db2"], False)
    assert report["reasons"] == [
        "The backup did not arrive at db2: db2: the worker was killed.",
        "db2 is as it was; db3 was rebuilt and proved. "
        "salt-run replica.clone db1 db2 confirm=db2, with the other options as they were, rebuilds what is left.",
    ]


def test_several_who_lost_the_backup_are_named_together():
    wish = cloning.Wish("db1", ("db2", "db3", "db4"), "db1")
    report, _, _ = clone(Hosts("db2", "db3", "db4"), wish, missing=("db2", "db4"), why="gone.")
    assert report["reasons"][0] == "The backup did not arrive at db2, db4: gone."
    assert report["reasons"][1].startswith("db2 and db4 are as they were; db3 was rebuilt and proved.")
    assert "salt-run replica.clone db1 db2,db4 confirm=db2,db4, with" in report["reasons"][1]


def test_who_lost_the_backup_has_it_from_another_before_anything_is_prepared():
    hosts, seen = Hosts("db2", "db3"), []

    def complete(copied, sibling):
        seen.append((copied.transfer, copied.missing, sibling, [*hosts.steps("db3")]))
        return Copied({**copied.told, "completed": {"source": sibling}})

    report, _, said = clone(hosts, complete=complete, transfer="t", **LOST)
    assert seen == [("t", ("db2",), "db3", [])]
    assert hosts.steps("db2") == hosts.steps("db3") == ALL
    assert (report["left"], report["reasons"]) == ({}, [])
    assert report["copy"]["completed"] == {"source": "db3"}
    assert said[:4] == ["check", "copy", "complete", "prepare"]


def test_who_cannot_have_it_from_another_either_is_left_out():
    report, _, _ = clone(Hosts("db2", "db3"), complete=lambda copied, _: copied, transfer="t", **LOST)
    assert (list(report["replicas"]), list(report["left"])) == (["db3"], ["db2"])


def test_an_interruption_while_one_is_completed_stops_no_server():
    def complete(copied, sibling):
        raise KeyboardInterrupt

    hosts = Hosts("db2", "db3")
    with pytest.raises(KeyboardInterrupt):
        clone(hosts, complete=complete, transfer="t", **LOST)
    assert (hosts.steps("db2"), hosts.steps("db3")) == ([], ["discard"])


def test_a_log_that_was_purged_since_the_backup_stops_no_server():
    hosts = Hosts("db2", log={"files": ["b.9"], "begins": "0-1-8"})
    with pytest.raises(BackupUnfit, match="db1 has purged its binary logs up to 0-1-8"):
        clone(hosts, cloning.Wish("db1", ("db2",), "db1"))
    assert hosts.steps("db2") == ["prepare", "discard"]


def test_a_backup_that_contradicts_itself_stops_no_server():
    beyond = {**BACKUP, "upstream": {"file": "", "position": 0, "gtid": "0-1-50"}}
    hosts = Hosts("db2", "db3", prepare=beyond)
    with pytest.raises(BackupUnfit, match="contradicts itself"):
        clone(hosts, cloning.Wish("db2", ("db3",), "db1"))
    assert hosts.steps("db3") == ["prepare", "discard"]


def test_a_replica_that_cannot_log_in_is_refused_before_anything():
    hosts = Hosts("db2", "db3", login=lambda host: {"trouble": "Access denied" if host == "db3" else ""})
    with pytest.raises(ReplicaRefused, match="db3: Access denied"):
        clone(hosts)
    assert hosts.steps("db2") == hosts.steps("db3") == []


def test_a_silent_host_is_refused():
    hosts = Hosts("db2", "db3", fails=[("db3", "fitness")])
    with pytest.raises(ReplicaRefused, match="db3: fitness failed"):
        clone(hosts)


def test_a_backup_that_nobody_can_prepare_stops_no_server():
    hosts = Hosts("db2", "db3", fails=[("db2", "prepare"), ("db3", "prepare")])
    with pytest.raises(ReplicaError, match="db2: prepare failed"):
        clone(hosts)
    assert hosts.steps("db2") == hosts.steps("db3") == ["prepare", "discard"]


def test_who_cannot_prepare_the_backup_costs_the_others_nothing():
    """One bad disk among many."""
    hosts = Hosts("db2", "db3", fails=[("db2", "prepare")])
    report, _, _ = clone(hosts)
    assert hosts.steps("db2") == ["prepare", "discard"]
    assert hosts.steps("db3") == ALL
    assert (list(report["replicas"]), report["left"]) == (["db3"], {"db2": "db2: prepare failed"})


def test_what_fails_once_a_server_was_stopped_is_not_tried_at_the_next_one():
    """It may be the backup that is bad, and each further server would be stopped for it."""
    hosts = Hosts("db2", "db3", "db4", fails=[("db2", "prepare"), ("db3", "start_isolated")])
    with pytest.raises(ReplicaError, match="db3: start_isolated failed") as error:
        clone(hosts, cloning.Wish("db1", ("db2", "db3", "db4"), "db1"))
    assert hosts.steps("db4") == ["prepare", "discard"]
    assert (error.value.evidence["settled"], error.value.evidence["left"]) == ([], ["db2", "db3", "db4"])


def test_a_replica_that_has_settled_is_told_as_that_though_its_answer_was_lost():
    begun = {"datadir": "/srv/mysql", "kept": "/srv/mysql.before-1", "backup": BACKUP}
    hosts = Hosts("db2", fails=[("db2", "settle")], install=begun, last={**begun, "proof": {}})
    report, _, _ = clone(hosts, cloning.Wish("db1", ("db2",), "db1"))
    assert report["replicas"]["db2"]["kept"] == "/srv/mysql.before-1"
    assert hosts.steps("db2") == ALL


def test_what_was_settled_before_is_not_taken_for_this_installation():
    begun = {"datadir": "/srv/mysql", "kept": "/srv/mysql.before-2", "backup": BACKUP}
    former = {**begun, "kept": "/srv/mysql.before-1"}
    hosts = Hosts("db2", fails=[("db2", "settle")], install=begun, last=former)
    with pytest.raises(ReplicaError, match="settle failed"):
        clone(hosts, cloning.Wish("db1", ("db2",), "db1"))
    assert hosts.steps("db2")[-2:] == ["roll_back", "discard"]


def test_what_is_still_under_way_is_not_settled_whatever_is_noted():
    """A host that dies in the middle of settling takes it back when it is there again."""
    begun = {"datadir": "/srv/mysql", "kept": "/srv/mysql.before-1", "backup": BACKUP}
    infos = {"db2": replica(2, installation={"step": "proved"})}
    hosts = Hosts("db2", fails=[("db2", "settle")], install=begun, last=begun, infos=infos)
    with pytest.raises(ReplicaError, match="settle failed"):
        clone(hosts, cloning.Wish("db1", ("db2",), "db1"))
    assert "roll_back" in hosts.steps("db2")


@pytest.mark.parametrize(("kept", "dropped"), [("/srv/mysql.before-1", 1), (None, 2)])
def test_old_logs_go_with_their_data_and_by_themselves_where_that_was_lost(kept, dropped):
    settled = {"kept": kept, "datadir": "/srv/mysql", "kept_logs": ["/var/log/bin.before-1", "/var/log/relay.before-1"]}
    hosts = Hosts("db2", settle=settled)
    report, _, _ = clone(hosts, cloning.Wish("db1", ("db2",), "db1", keep_old=False))
    assert (report["replicas"]["db2"]["kept_logs"], hosts.steps("db2").count("drop_old")) == ([], dropped)


def test_old_data_that_cannot_be_removed_does_not_unmake_a_replica():
    hosts = Hosts("db2", fails=[("db2", "drop_old")])
    report, _, _ = clone(hosts, cloning.Wish("db1", ("db2",), "db1", keep_old=False))
    told = report["replicas"]["db2"]
    assert (told["proof"]["proved"], told["kept"]) == (True, "/srv/mysql.before-1")
    assert "salt db2 replica.drop_old confirm=/srv/mysql.before-1 removes it" in told["note"]
    assert hosts.steps("db2") == [*ALL, "drop_old"]


def test_a_replica_that_is_late_on_purpose_is_not_made_as_others():
    hosts = Hosts("db2", infos={"db2": replica(2, channels=[channel(delay=3600)])})
    with pytest.raises(ReplicaRefused, match="3600 s behind its primary on purpose"):
        clone(hosts, cloning.Wish("db1", ("db2",), "db1"))
    assert hosts.steps("db2") == []


def test_a_donor_whose_position_may_be_stale_stops_no_server():
    by_file = replica(2, channels=[channel(using_gtid="No")], variables={"log_slave_updates": "ON"})
    stale = {**BACKUP, "upstream": {"file": "", "position": 0, "gtid": "0-1-3"}}
    hosts = Hosts("db2", "db3", infos={"db2": by_file}, prepare=stale)
    with pytest.raises(BackupUnfit, match="db2 replicates by file and position"):
        clone(hosts, cloning.Wish("db2", ("db3",), "db1"))
    assert hosts.steps("db3") == ["prepare", "discard"]


def test_an_installation_that_a_host_refuses_leaves_nothing_there_to_take_back():
    hosts = Hosts("db2", "db3", fails=[("db2", "install")])
    with pytest.raises(ReplicaError, match="db2: install failed"):
        clone(hosts)
    assert hosts.steps("db2") == ["prepare", "install", "discard"]
    assert hosts.steps("db3") == ["prepare", "discard"]


def test_the_proof_has_as_long_as_it_is_given():
    hosts, given = Hosts("db2"), []
    answer = hosts.answer

    def remembering(host, function, **arguments):
        given.append((function, arguments.get("timeout")))
        return answer(host, function, **arguments)

    hosts.answer = remembering
    clone(hosts, cloning.Wish("db1", ("db2",), "db1", timeout=7200))
    assert ("advance", 7200) in given


def test_a_host_that_says_nothing_of_an_installation_may_have_made_it():
    def silent(host):
        raise HostSilent(host, {"text": "no answer"})

    hosts = Hosts("db2", install=silent)
    with pytest.raises(HostSilent, match="db2: no answer"):
        clone(hosts, cloning.Wish("db1", ("db2",), "db1"))
    assert hosts.steps("db2") == ["prepare", "install", "roll_back", "discard"]


@pytest.mark.parametrize("step", ["install", "point"])
def test_an_interruption_is_taken_back_like_a_failure(step):
    def interrupt(host):
        raise KeyboardInterrupt

    hosts = Hosts("db2", **{step: interrupt})
    with pytest.raises(KeyboardInterrupt):
        clone(hosts, cloning.Wish("db1", ("db2",), "db1"))
    assert hosts.steps("db2")[-2:] == ["roll_back", "discard"]
