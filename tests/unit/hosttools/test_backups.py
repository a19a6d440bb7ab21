"""What backups say of themselves."""

import pytest

from hosttools import backups

SLAVE_INFO = "-- comment\nSET GLOBAL gtid_slave_pos = '0-11-5';\nCHANGE MASTER TO master_use_gtid = slave_pos\n"


def test_the_position_of_the_backed_up_server_has_three_fields():
    assert backups.binlog("b.000001\t1162\t0-11-5\n") == backups.Coordinates("b.000001", 1162, "0-11-5")
    assert backups.binlog("b.000001\t1162\n").gtid == ""
    assert backups.binlog("").file == ""


def test_the_position_in_the_primary_comes_by_gtid_or_by_file():
    assert backups.replica(SLAVE_INFO).gtid == "0-11-5"
    found = backups.replica("CHANGE MASTER TO MASTER_LOG_FILE='p.7', MASTER_LOG_POS=42;")
    assert (found.file, found.position, found.gtid) == ("p.7", 42, "")
    assert backups.channels(SLAVE_INFO) == 1


@pytest.mark.parametrize(("text", "good"), [("0-1-2,1-1-9", True), ("", False), ("0-1-2'; DROP", False)])
def test_only_a_gtid_is_one(text, good):
    assert backups.is_gtid(text) is good


def test_versions_are_compared_by_series():
    assert backups.series("10.11.19-MariaDB-0+deb12u1-log") == (10, 11)
    assert backups.series("none") == (0, 0)
    vendors = [backups.vendor(each) for each in ("10.11-MariaDB", "8.0.35-27 Percona", "8.4.0")]
    assert vendors == ["mariadb", "percona", "mysql"]


def test_the_table_of_options_is_read():
    head = "mariadbd  Ver 10\n--datadir=x\n\nVariables (--variable-name=value)\nand more\n---- ----\n"
    printed = head + "datadir    /srv/m/\nlog-bin    (No default value)\n"
    assert backups.option_table(printed) == {"datadir": "/srv/m/", "log_bin": ""}


def test_preparing_is_bounded():
    argv = backups.prepare("mariabackup", "/d", 1 << 20, 5000).argv
    assert argv[:2] == ("prlimit", "--nofile=5000:5000")
    assert argv[2:] == ("mariabackup", "--prepare", "--target-dir=/d", "--use-memory=1048576")
