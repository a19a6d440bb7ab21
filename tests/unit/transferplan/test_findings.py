"""What the hosts tell a doctor, and what only shows beside the master."""

from transferplan import findings
from transferplan.version import VERSION

NOW = 1_800_000_000.0


def visit(*found, **changes):
    return {"findings": list(found), "trouble": [], "version": VERSION, "clock": NOW, **changes}


def test_healthy_hosts_have_no_findings():
    assert findings.gathered({"alpha": visit(), "beta": visit(clock=NOW + 5)}, NOW) == []
    assert findings.lines([]) == ["nothing is left over"]


def test_every_finding_says_on_which_host_it_is():
    dead = {"what": "dead worker", "transfer": "a" * 32, "path": "/srv/x", "age": 60, "bytes": 2048, "advice": "sweep"}
    (told,) = findings.gathered({"beta": visit(dead)}, NOW)
    assert told == {"host": "beta", **dead}
    (line,) = findings.lines([told])
    assert line == f"beta: dead worker, {'a' * 32}, /srv/x, 1 min 00 s old, 2.0 KiB: sweep"


def test_another_version_and_a_clock_that_is_off_are_findings():
    told = findings.gathered({"alpha": visit(version="0.0.9"), "beta": visit(clock=NOW - 3600)}, NOW)
    assert "salt-transfer 0.0.9" in told[0]["what"] and "sync_all" in told[0]["advice"]
    assert told[1]["what"].endswith("behind the master's")


def test_what_could_not_be_looked_at_is_a_finding():
    (told,) = findings.gathered({"beta": visit(trouble=["nft says no"])}, NOW)
    assert (told["host"], told["advice"]) == ("beta", "nft says no")


def test_nothing_in_a_finding_steers_a_terminal():
    (told,) = findings.gathered({"beta": visit({"what": "\x1b[2J"})}, NOW)
    assert "\x1b" not in str(findings.lines([told]))
    assert "\x1b" not in str(findings.swept({"beta": swept([{"what": "\x1b[2J"}], trouble=["\x1b[2J"])}))


DEAD = {"what": "dead worker", "transfer": "a" * 32, "age": 60, "bytes": 2048, "advice": "transfer.sweep undoes it"}
RESTS = {"what": "partial data", "path": "/srv/x", "advice": "it waits to be gone on with"}


def swept(found=(), removed=(), trouble=()):
    return {"found": list(found), "removed": list(removed), "trouble": list(trouble)}


def test_a_sweep_tells_what_it_removed_and_what_it_left():
    assert findings.swept({"gamma": swept(), "beta": swept(trouble=["no"]), "alpha": swept([DEAD, RESTS], [DEAD])}) == [
        f"alpha: dead worker, {'a' * 32}, 1 min 00 s old, 2.0 KiB: removed",
        "alpha: partial data, /srv/x: it waits to be gone on with",
        "beta: no",
        "nothing to remove on 1 host",
    ]


def test_a_sweep_that_only_lists_tells_what_would_remove_each():
    (line,) = findings.swept({"alpha": swept([DEAD])})
    assert line == f"alpha: dead worker, {'a' * 32}, 1 min 00 s old, 2.0 KiB: transfer.sweep undoes it"


def test_a_host_where_a_sweep_had_trouble_is_not_called_clean():
    assert findings.swept({"alpha": swept(trouble=["nft says no"])}) == ["alpha: nft says no"]
    assert findings.swept({"alpha": swept()}) == ["nothing to remove on 1 host"]
    assert findings.swept({}) == []
