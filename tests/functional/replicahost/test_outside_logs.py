"""A replica whose binary log and relay log lie outside of its data directory, as is usual on Debian."""

import contextlib
from pathlib import Path

import pytest

from tests.support.databases import Minion
from tests.support.waiting import eventually

from .conftest import INCOMING, MORE, configured

pytestmark = pytest.mark.root

PLACE = "/var/log/mysql"
BINARY, RELAY = f"{PLACE}/mysql-bin", f"{PLACE}/relay"
CONFIG = f"log_bin = {BINARY}.log\nrelay_log = {RELAY}.log\nlog_error = {PLACE}/mysql-error.log"
ASKED = {"confirm": "db2", "discard_own_writes": True}


class Dying(Minion):
    """Its process is killed between the third and the fourth rename."""

    program = (Path(__file__).parents[2] / "support/dying_minion_shell.py", "3")


@pytest.fixture
def elsewhere(pair):
    """The pair, while the logs of the replica are outside of its data directory."""
    pair.replica.machine.run(["install", "-d", "-m", "2750", "-o", "mysql", PLACE])
    pair.replica.sql("STOP SLAVE; RESET SLAVE ALL")  # relay logs of other places are not gone on with
    with configured(pair.replica, CONFIG):
        pair.replica.follow(pair.primary)
        assert pair.replicates()
        yield pair
        if pair.call("replica.info")["installation"]:
            pair.call("replica.roll_back")
        pair.replica.sql("STOP SLAVE; RESET SLAVE ALL")
    pair.replica.follow(pair.primary)
    pair.replica.machine.run(["rm", "-r", PLACE])


def listed(pair, place=PLACE):
    return sorted(pair.replica.machine.output("ls", place).split())


def logged(pair):
    """The files of its own binary log; those of its relay log come and go."""
    return [each for each in listed(pair) if each.startswith("mysql-bin.")]


@contextlib.contextmanager
def renamed(pair):
    """The configuration names another binary log, but the server was not started anew since."""
    edit = ("sed", "-i", "-e")
    pair.replica.machine.run([*edit, "s/mysql-bin/other-bin/", MORE])
    yield
    pair.replica.machine.run([*edit, "s/other-bin/mysql-bin/", MORE])


def replicate(pair):
    """Install new data that was brought, and let it replicate."""
    done = pair.call("replica.install", INCOMING, **ASKED)
    pair.call("replica.start_isolated")
    pair.call("replica.point", pair.primary.machine.ip, donor_is_primary=True)
    pair.call("replica.start_replication")
    assert pair.replicates()
    return done


def test_logs_elsewhere_are_moved_aside_and_come_back_with_the_old_data(elsewhere):
    before, names = elsewhere.call("replica.info"), logged(elsewhere)
    assert [(each["kind"], each["base"]) for each in before["logs"]] == [("binary log", BINARY), ("relay log", RELAY)]
    with renamed(elsewhere):
        (reason, _no_backup) = elsewhere.call("replica.check", "/srv/nowhere", **ASKED)["reasons"]
        assert f"its binary log at {BINARY}, and at {PLACE}/other-bin when it is started anew" in reason
    elsewhere.bring()
    asked = elsewhere.replica.minion.state("replica.installed", "it", prepared=INCOMING, test=True, **ASKED)
    assert asked["changes"]["logs"] == {"old": None, "new": [BINARY, RELAY]}
    done = replicate(elsewhere)
    for kept, name in zip(done["kept_logs"], (BINARY, RELAY), strict=True):
        assert kept.startswith(f"{name}.before-")
        assert {each.partition(".")[0] for each in listed(elsewhere, kept)} == {Path(name).name}
    assert set(names) <= set(listed(elsewhere, done["kept_logs"][0]))
    assert {"mysql-bin.000001", "relay.index", "mysql-error.log"} <= set(listed(elsewhere))
    elsewhere.call("replica.roll_back")
    assert elsewhere.replica.value("SELECT @@gtid_strict_mode") == "1"
    elsewhere.as_before(before)
    assert set(names) <= set(listed(elsewhere))
    assert not any("before" in each for each in listed(elsewhere))


@pytest.mark.slow
def test_logs_elsewhere_of_a_server_that_is_down_are_known_and_stay_with_the_old_data(elsewhere):
    elsewhere.replica.stop()
    assert elsewhere.call("replica.check", "/srv/nowhere", **ASKED)["reasons"] == ["/srv/nowhere is no directory."]
    elsewhere.bring()
    done = replicate(elsewhere)
    assert "mysql-bin.000001" in listed(elsewhere, done["kept_logs"][0])
    elsewhere.call("replica.proved", {"by": "test"})
    settled = elsewhere.call("replica.settle")
    assert settled["kept_logs"] == done["kept_logs"]
    dropped = elsewhere.call("replica.drop_old", settled["kept"])
    assert dropped["logs"] == done["kept_logs"]
    assert not any("before" in each for each in listed(elsewhere))
    assert elsewhere.replicates()


@pytest.fixture
def interrupted(elsewhere):
    """What the replica was, of which some old logs were moved aside and some not, when who did that was killed."""
    before, names = elsewhere.call("replica.info"), logged(elsewhere)
    elsewhere.bring()
    settings = {"replica": {"replication": {"user": "repl", "password": "x"}}}
    ended = pytest.raises(AssertionError, match="the minion in the machine ended")
    with contextlib.closing(Dying(elsewhere.replica.machine, **settings)) as minion, ended:
        minion.call("replica.install", INCOMING, lease=15, **ASKED)
    (kept,) = [each for each in listed(elsewhere) if each.startswith("mysql-bin.before-")]
    assert len(listed(elsewhere, f"{PLACE}/{kept}")) == 3
    return before, names


def is_back(pair, before, names):
    assert eventually(lambda: pair.call("replica.info")["installation"] is None)
    assert eventually(lambda: pair.call("replica.info")["running"])
    pair.as_before(before)
    assert set(names) <= set(listed(pair))
    assert not any("before" in each for each in listed(pair))


@pytest.mark.slow
def test_who_is_killed_between_two_renames_has_its_logs_back_within_the_lease(elsewhere, interrupted):
    is_back(elsewhere, *interrupted)


@pytest.mark.slow
def test_a_power_cut_between_two_renames_is_taken_back_at_boot(elsewhere, interrupted):
    elsewhere.replica.machine.reboot()
    elsewhere.replica.minion.start()
    is_back(elsewhere, *interrupted)


@pytest.mark.slow
def test_a_log_that_somebody_else_has_open_is_not_moved(elsewhere):
    argv = ["tail", "--follow", f"{BINARY}.index"]
    with elsewhere.replica.machine.popen(argv) as other:
        told = elsewhere.call("replica.check", "/srv/nowhere", **ASKED)["reasons"]
        other.terminate()
    assert any(f"{BINARY}.*, are open in process" in each for each in told)
