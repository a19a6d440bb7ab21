"""How a hot backup is called, what it has to say, and how its server is spoken to."""

import json

import pytest

from hosttools import donor, hotbackup
from hosttools.commands import Result, drive
from hosttools.errors import DatabaseRefused

SAID = b"""[00] 2026-11-29 11:05:21 All tables unlocked
[00] 2026-11-29 11:05:21 MySQL binlog position: filename 'b.000001', position '623', GTID of the last change '0-1-2'
[00] 2026-11-29 11:05:21 completed OK!
"""
CALL = ("mariadb", "/run/login.cnf")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\n",
        b"completed OK!\n[00] FATAL ERROR: the disk is full\n",
        b"[00] this is not completed OK! or is it\n",
        SAID.replace(b"OK!", b""),
    ],
)
def test_only_the_last_word_says_that_a_backup_is_complete(said):
    assert hotbackup.said_completed(SAID) and hotbackup.said_completed(SAID + b"\n\n")
    assert not hotbackup.said_completed(said)


def test_the_place_in_the_binary_log():
    assert hotbackup.position(SAID) == {"file": "b.000001", "position": 623, "gtid": "0-1-2"}
    assert hotbackup.position(SAID.replace(b", GTID of the last change '0-1-2'", b""))["gtid"] == ""
    assert hotbackup.position(b"completed OK!") is None


def test_no_secret_is_among_the_words_of_the_call():
    argv = hotbackup.stream("mariabackup", *CALL[1:], "/run/s.sock", "/srv/mysql", "/scratch", 3, True)
    assert argv[:3] == ("mariabackup", "--defaults-extra-file=/run/login.cnf", "--backup")
    assert {"--socket=/run/s.sock", "--datadir=/srv/mysql", "--parallel=3", "--slave-info"} < {*argv}
    assert not [word for word in argv if "password" in word or "user" in word]
    assert hotbackup.unpack("mbstream") == ("mbstream", "-x")


def test_locks_are_taken_also_where_the_servers_configuration_says_otherwise():
    """What is in a file counts less than what is called."""
    argv = hotbackup.stream("mariabackup", *CALL[1:], "/run/s.sock", "/srv/mysql", "/scratch", 3, False)
    assert "--skip-no-lock" in argv and "--no-lock" not in argv


@pytest.mark.parametrize(
    "said, version",
    [
        ("mariabackup based on MariaDB server 10.11.19-MariaDB debian-linux-gnu (x86_64)", "10.11.19-MariaDB"),
        ("xtrabackup version 8.0.35-30 based on MySQL server 8.0.35 Linux (x86_64)", "8.0.35-30"),
        ("nothing", ""),
    ],
)
def test_versions_of_tools(said, version):
    told = drive(hotbackup.versions(("tool", "none")), lambda command: answer(command, said))
    assert told == {"tool": version}


def answer(command, said):
    return Result(127) if command.argv[0] == "none" else Result(stdout=said.encode())


class Server:
    """Answers what a donor is asked, in the forms of the client."""

    def __init__(self, replication="", vendor="MariaDB", refuses=()):
        self.asked = []
        self._replication = replication
        self._refuses = refuses
        self._about = {
            "version": f"10.11.19-{vendor}",
            "comment": "",
            "datadir": "/srv/mysql/",
            "user": "backup@localhost",
        }

    def __call__(self, command):
        statement = command.stdin.decode().split("\n", 1)[1]
        self.asked.append(statement.strip())
        if any(word in statement for word in self._refuses):
            return Result(1, stderr=b"ERROR 1227 (42000) at line 2: Access denied; you need SLAVE MONITOR")
        return Result(stdout=self._said(statement).encode())

    def _said(self, statement):
        if "user_privileges" in statement:
            return '{"privilege": "RELOAD"}\n{"privilege": "LOCK TABLES"}\n'
        if "JSON_OBJECT" in statement:
            return json.dumps(self._about) + "\n"
        if "Uptime" in statement:
            return "Variable_name\tValue\nInnodb_os_log_written\t5000\nUptime\t50\n"
        return self._replication


REPLICATION = "Connection_name\tSlave_SQL_Running\n\tYes\nother's\tNo\n"


def test_what_a_donor_tells_of_itself():
    told = drive(donor.about(CALL), Server(REPLICATION))
    assert told == {
        "version": "10.11.19-MariaDB",
        "vendor": "mariadb",
        "datadir": "/srv/mysql/",
        "user": "backup@localhost",
        "privileges": ["LOCK TABLES", "RELOAD"],
        "redo_rate": 100,
        "replication": [{"name": "", "sql_running": True}, {"name": "other's", "sql_running": False}],
    }


def test_replication_that_may_not_be_seen_is_none():
    assert drive(donor.about(CALL), Server(refuses=["SLAVES"]))["replication"] is None
    assert drive(donor.about(CALL), Server())["replication"] == []


def test_replication_is_held_and_goes_on_by_name():
    server = Server()
    drive(donor.stop_applying(CALL, "mariadb", ["", "other's"]), server)
    drive(donor.start_applying(CALL, "mysql", ["chan"]), server)
    assert server.asked == [
        "STOP SLAVE '' SQL_THREAD;\nSTOP SLAVE 'other\\'s' SQL_THREAD;",
        "START REPLICA SQL_THREAD FOR CHANNEL 'chan';",
    ]


def test_a_refusal_has_the_servers_words_and_not_the_statement():
    with pytest.raises(DatabaseRefused, match="Access denied.*error 1227") as caught:
        drive(donor.stop_applying(CALL, "mariadb", ["x"]), Server(refuses=["STOP"]))
    assert "STOP" not in caught.value.text
