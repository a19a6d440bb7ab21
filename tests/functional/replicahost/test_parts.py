"""What a real server tells of data that would not change places with the rest, or would not stay equal."""

import pytest

from .conftest import configured

pytestmark = pytest.mark.root


def why_not(pair):
    return " ".join(pair.call("replica.check", "/srv/nowhere", confirm="db2", discard_own_writes=True)["reasons"])


def test_a_replica_that_leaves_something_out_is_not_replaced(pair):
    change = "STOP SLAVE; SET GLOBAL replicate_wild_ignore_table='{}'; START SLAVE"
    pair.replica.sql(change.format("other.%"))
    words = why_not(pair)
    pair.replica.sql(change.format(""))
    assert "only a part of what its primary logs (Replicate_Wild_Ignore_Table)" in words
    assert "only a part" not in why_not(pair)


def test_a_directory_that_no_backup_brings_along_is_found_before_anything(pair):
    pair.replica.machine.run(["install", "-d", "-m", "700", "-o", "mysql", "/srv/mysql/#tmp"])
    with configured(pair.replica, 'tmpdir = "/srv/mysql/#tmp"'):
        words = why_not(pair)
    assert "db2 has tmpdir in /srv/mysql/#tmp, a directory in its data directory" in words
    assert words.count("#tmp") == 1
    pair.replica.machine.run(["rmdir", "/srv/mysql/#tmp"])


def test_a_table_whose_data_lies_elsewhere_is_found(pair):
    pair.replica.machine.run(["install", "--directory", "--owner=mysql", "/srv/away"])
    table = "CREATE DATABASE away; CREATE TABLE away.t (id INT) DATA DIRECTORY='/srv/away'"
    pair.replica.sql(f"SET SESSION sql_log_bin=0; {table}")
    words, donor = why_not(pair), pair.call("replica.info")
    pair.replica.sql("SET SESSION sql_log_bin=0; DROP DATABASE away")
    pair.replica.machine.run(["rm", "-r", "/srv/away"])
    assert "/srv/mysql of db2 holds away/t.isl, which leads to data outside of it" in words
    assert donor["files"]["elsewhere"] == ["away/t.isl"]
    assert pair.call("replica.info")["files"]["elsewhere"] == []


def test_a_log_that_leaves_something_out_is_told(pair):
    """Of the primary it decides whether anybody may follow."""
    place = pair.primary.machine.path("/etc/mysql/mariadb.conf.d/96-part.cnf")
    place.write_text("[mariadbd]\nbinlog_ignore_db = scratch\n")
    pair.primary.machine.run(["systemctl", "restart", "mariadb"])
    told = pair.primary.minion.call("replica.info")
    place.unlink()
    pair.primary.machine.run(["systemctl", "restart", "mariadb"])
    pair.replica.sql("STOP SLAVE; START SLAVE")  # else it tries again in a minute
    assert told["binlog_filters"] == {"Binlog_Ignore_DB": "scratch"}
    assert pair.primary.minion.call("replica.info")["binlog_filters"] == {}
