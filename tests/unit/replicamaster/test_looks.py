"""What people see of replicas: a line for each server and each thing that was found, and nothing that steers them."""

import re
from types import SimpleNamespace

import pytest

from replicamaster import cloning, looks, proving
from replicamaster.courier import Copied
from tests.conftest import CHECKOUT
from tests.support import runners

from .fakes import COUNT, Hosts

ENGINES = [["shop", "t", "MyISAM"], ["shop", "u", "Aria"]]


def ended(result, retcode=0, reasons=(), **body):
    return {**body, "result": result, "reasons": list(reasons), "retcode": retcode}


def proof(**answers):
    told = proving.prove(Hosts("db2", **answers), "db1", "db2")
    return ended("ok" if told["proved"] else "failed", **told)


def cloned(*replicas, fails=(), **wish):
    hosts = Hosts(*replicas, fails=fails)
    asked = cloning.Wish("db1", replicas, "db1", **wish)
    courier = SimpleNamespace(copy=lambda *_: Copied({"transfer": "0" * 32}))
    return cloning.clone(hosts, asked, courier, lambda *_: None)


CONTENT = "1 tables with 3 rows and 2 definitions are equal at 0-1-7"


def test_a_step_is_told_in_words_and_steers_no_terminal():
    assert looks.step_line("check", {}) == "replica: check"
    told = {"host": "db2", "reasons": ["It is broken.", "\x1b[2J"]}
    assert looks.step_line("failed", told) == "replica: failed, host db2, reasons It is broken. \\x1b[2J"


def test_a_proof_is_told_with_all_that_was_checked():
    lines = looks.prove_lines(proof())
    assert lines[0] == "ok: db2 is proved equal to db1"
    assert f"  content: {CONTENT}" in lines and "  threads: both threads run, following 10.0.0.1" in lines
    assert len(lines) == 8 and not [line for line in lines if "not compared" in line]


def test_what_a_proof_left_out_is_told():
    told = {**proof(), "unproved": ENGINES}
    line = "  not compared: shop.t (MyISAM) and shop.u (Aria); lock_others=True compares them too"
    assert looks.prove_lines(told)[-1] == line
    many = "  not compared: shop.t (MyISAM), shop.u (Aria) and 198 more; lock_others=True compares them too"
    assert looks.prove_lines({**told, "unproved_in_all": 200})[-1] == many


def test_what_is_not_equal_is_told_before_what_is():
    counts = {"db1": COUNT, "db2": {**COUNT, "root": "bb"}}
    pages = {"db1": [["row", "x", "t", 3, "aa"]], "db2": [["row", "x", "t", 4, "bb"]]}
    lines = looks.prove_lines(proof(count=counts.__getitem__, page=pages.__getitem__))
    assert lines[:3] == [
        "failed: db2 is not proved equal to db1",
        "  NOT SO: content: they differ at 0-1-7",
        "  NOT SO: 'table x.t' has 3 rows on the primary and 4 on the replica.",
    ]
    assert "  threads: both threads run, following 10.0.0.1" in lines


def test_a_clone_is_told_with_its_proofs_its_places_and_its_time():
    told = cloned("db2", "db3") | ended("ok") | {"seconds": {"check": 0.5, "copy": 61.0, "total": 70.0}}
    assert looks.clone_lines(told) == [
        "ok: db1 was cloned to db2 and db3",
        f"  db2: proved equal to db1, {CONTENT}; data in /srv/mysql, the old in /srv/mysql.before-1",
        f"  db3: proved equal to db1, {CONTENT}; data in /srv/mysql, the old in /srv/mysql.before-1",
        f"  1 min 10 s in all: check 0.5 s, copy 1 min 01 s; the backup was transfer {'0' * 32}",
    ]
    gone = looks.clone_lines(cloned("db2", keep_old=False) | ended("ok"))
    assert gone[1].endswith("; data in /srv/mysql, no old data is kept")


def test_old_data_that_could_not_be_removed_is_a_note_and_the_clone_is_well():
    told = cloned("db2", keep_old=False, fails=[("db2", "drop_old")]) | ended("ok")
    lines = looks.clone_lines(told)
    assert lines[0] == "ok: db1 was cloned to db2"
    assert lines[1].endswith("the old in /srv/mysql.before-1")
    assert lines[2] == (
        "    db2: drop_old failed The old data stays: salt db2 replica.drop_old confirm=/srv/mysql.before-1 removes it."
    )


def test_a_clone_that_left_some_out_says_why_before_what_was_done():
    report = cloned("db2", "db3", fails=[("db3", "prepare")])
    lines = looks.clone_lines(report | ended("partial", 5, report["reasons"]))
    assert lines[:3] == [
        "partial: db1 was cloned to db2",
        "  db3: prepare failed",
        "  db3 is as it was; db2 was rebuilt and proved. salt-run replica.clone db1 db3 confirm=db3, with the other "
        "options as they were, rebuilds what is left.",
    ]
    assert lines[3].startswith("  db2: proved equal to db1")


def test_a_clone_that_is_only_planned_is_told_with_its_places():
    places, addresses = ["db2:/srv/mysql.incoming"], {"db2": "10.0.0.1"}
    logs = {"db2": ["binary log /var/log/mysql/bin.* (3 files, 400 bytes)"]}
    told = ended("planned", source="db1:/run/s.sock", replicas=places, addresses=addresses, logs=logs)
    assert looks.clone_lines(told) == [
        "planned: db1:/run/s.sock to db2:/srv/mysql.incoming; nothing was changed",
        "  db2 would reach its primary at 10.0.0.1",
        "  db2 has logs outside of its data directory, which would be moved aside: binary log /var/log/mysql/bin.* "
        "(3 files, 400 bytes)",
    ]


def test_every_reason_is_a_line_and_none_steers_a_terminal():
    told = ended("refused", 3, ["db2 has no room.", "db3 is \x1b[2Ja primary."])
    expected = ["refused", "  db2 has no room.", "  db3 is \\x1b[2Ja primary."]
    for lines in (looks.clone_lines, looks.prove_lines, looks.recover_lines, looks.patrol_lines, looks.proposal_lines):
        assert lines(told) == expected


def test_replicas_that_were_done_before_a_clone_failed_are_named():
    error = {"text": "no", "evidence": {"settled": ["db2"], "left": ["db3", "db4"]}}
    lines = looks.clone_lines(ended("failed", 2, ["no"], error=error))
    assert lines == ["failed", "  no", "  done before, and left as they are: db2", "  not rebuilt: db3, db4"]


@pytest.mark.parametrize(
    "body, line",
    [
        ({"result": "healthy", "reasons": ["db2 needs no repair."]}, "  db2 needs no repair."),
        ({"result": "forbidden", "reasons": ["it is masked"]}, "  it is masked"),
        ({"result": "broken", "donor": "db3", "reasons": ["gone"]}, "  it would be rebuilt from db3"),
        ({"result": "proposed", "proposal": "0123", "reasons": []}, "  salt-run replica.approve 0123 carries it out"),
    ],
)
def test_what_became_of_a_host_is_told_with_what_can_be_done(body, line):
    lines = looks.recover_lines({"host": "db2", "retcode": 0, **body})
    assert (lines[0], lines[-1]) == (f"{body['result']}: db2", line)


def test_a_repair_is_told_like_a_clone():
    report = cloned("db2")
    lines = looks.recover_lines(ended("repaired", host="db2", reasons=["The unit failed."], report=report))
    assert lines[:2] == ["repaired: db2", "  The unit failed."]
    assert lines[2].startswith("  db2: proved equal to db1, ")


def test_a_patrol_tells_of_each_host_once():
    hosts = {
        "db2": ended("healthy", host="db2", reasons=["db2 needs no repair."]),
        "db3": ended("failed", 2, host="db3", reasons=["no way"]),
    }
    lines = looks.patrol_lines(ended("failed", 2, ["no way"], hosts=hosts))
    assert lines == ["healthy: db2", "  db2 needs no repair.", "failed: db3", "  no way"]
    nothing = "no replicas are named: replica_repair in the master's configuration has no cluster"
    assert looks.patrol_lines(ended("ok", hosts={})) == [nothing]


def test_proposals_are_told_with_how_to_approve_them_and_with_what_was_repaired():
    waits = {"host": "db2", "cluster": "main", "at": 0.0, "reasons": ["gone"], "donor": "db3"}
    ran = {"host": "db3", "cluster": "main", "at": 61.0, "result": "repaired"}
    told = ended("ok", proposals={"0123": waits}, attempts=[ran])
    assert looks.proposal_lines(told) == [
        "0123  db2 of main, from db3, proposed 1970-01-01 00:00:00 UTC: gone",
        "  salt-run replica.approve 0123 carries it out",
        "1970-01-01 00:01:01 UTC  db3 of main: repaired",
    ]
    assert looks.proposal_lines(ended("ok", proposals={}, attempts=[])) == ["nothing waits for a person"]


# --- the runner ------------------------------------------------------------------------------------------------------


@pytest.fixture
def runner():
    return runners.load("replica")


def test_every_function_has_words(runner):
    functions = re.findall(r"^@_face\ndef (\w+)\(", (CHECKOUT / "_runners/replica.py").read_text(), re.MULTILINE)
    assert {*functions} == {*runner.ENDINGS, *runner.LOOKS}


def test_who_types_it_is_told_in_words_and_gets_the_same_document(runner, tmp_path, capsys):
    runner.__opts__["replica_repair"] = {"state": str(tmp_path)}
    silent = runner.proposals()
    assert capsys.readouterr().err == ""
    runner.__opts__["fun"] = "replica.proposals"
    assert runner.proposals() == silent == ended("ok", proposals={}, attempts=[])
    assert capsys.readouterr().err == "nothing waits for a person\n"


def test_who_asks_for_a_document_is_told_only_how_it_ended(runner, tmp_path, capsys):
    runner.__opts__.update(replica_repair={"state": str(tmp_path)}, output="json", fun="replica.proposals")
    runner.proposals()
    assert capsys.readouterr().err == ""
    runner.__opts__["fun"] = "replica.approve"
    assert runner.approve("0123")["retcode"] == 3
    assert "There is no proposal 0123" in capsys.readouterr().err
