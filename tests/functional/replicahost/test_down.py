"""A real server that does not answer: what it was is read from its unit, its configuration and its files."""

import contextlib

import pytest

from tests.support.databases import Minion

pytestmark = pytest.mark.root

SECOND = """\
[mariadbd.b]
datadir = /srv/mysql-b
socket = /run/mysqld/b.sock
port = 3307
"""


@pytest.fixture
def configured(pair):
    """Call a function on a minion of the replica's host with other settings of its own."""

    def call(function, *args, settings, **kwargs):
        with contextlib.closing(Minion(pair.replica.machine, replica=settings)) as minion:
            return minion.call(function, *args, **kwargs)

    return call


@pytest.fixture
def second(pair):
    """Beside the replica's server another one is configured, as an instance of the template unit; it is down."""
    place = pair.replica.machine.path("/etc/mysql/mariadb.conf.d/95-b.cnf")
    place.write_text(SECOND)
    yield {"unit": "mariadb@b.service"}
    place.unlink()


def why_not(told):
    return " ".join(told["reasons"])


def test_of_several_servers_the_one_that_is_named_is_told_also_while_it_is_down(configured, second):
    told = configured("replica.info", settings=second)
    assert (told["running"], told["datadir"], told["socket"]) == (False, "/srv/mysql-b", "/run/mysqld/b.sock")
    assert (told["options_known"], told["variables"]["port"]) == (True, 3307)


def test_another_server_than_that_of_the_unit_is_not_replaced_because_it_answers(configured, second):
    settings = {**second, "socket": "/run/mysqld/mysqld.sock"}
    told = configured("replica.check", "/srv/nowhere", confirm="db2", settings=settings)
    assert "let replica:unit and replica:socket name one and the same server" in why_not(told)


def test_a_live_server_behind_a_wrong_socket_is_not_taken_for_one_that_is_down(configured):
    settings = {"socket": "/run/mysqld/nowhere.sock"}
    told = configured("replica.info", settings=settings)
    assert (told["running"], told["unit"]["active"], told["processes"]) == (False, "active", [told["unit"]["pid"]])
    told = configured("replica.check", "/srv/nowhere", confirm="db2", settings=settings)
    assert "mariadb.service of db2 is active, but nobody answers at /run/mysqld/nowhere.sock" in why_not(told)


def test_a_primary_that_is_down_is_known_from_a_replica_that_is(pair):
    for database in (pair.primary, pair.replica):
        database.machine.run(["systemctl", "kill", "--signal=KILL", "mariadb"])
        database.stop()
    try:
        words = why_not(pair.primary.minion.call("replica.check", "/srv/nowhere", confirm="db1"))
        assert "db1 is down and holds 1 schemas" in words and "it may have been a primary" in words
        told = pair.call("replica.check", "/srv/nowhere", confirm="db2")
        assert told["reasons"] == ["/srv/nowhere is no directory."]
    finally:
        pair.primary.start()
        pair.replica.start()
        pair.replica.sql("SET GLOBAL read_only=1")
