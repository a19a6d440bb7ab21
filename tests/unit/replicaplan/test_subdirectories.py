"""What a server has in directories below its data directory."""

import pytest

from replicaplan.target import against_replacing

from .facts import down, replica


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("log_bin_basename", "/srv/mysql/binlog/bin", "/srv/mysql/binlog"),
        ("log_bin", "binlog/bin", "/srv/mysql/binlog"),
        ("log_bin_index", "/srv/mysql/binlog/bin.index", "/srv/mysql/binlog"),
        ("relay_log", "./logs/relay", "/srv/mysql/logs"),
        ("tmpdir", "/tmp:/srv/mysql/tmp", "/srv/mysql/tmp"),
        ("innodb_undo_directory", "undo", "/srv/mysql/undo"),
        ("innodb_log_group_home_dir", "/srv/mysql/redo/", "/srv/mysql/redo"),
        ("innodb_data_file_path", "one/ibdata1:12M:autoextend", "/srv/mysql/one"),
        ("socket", "/srv/mysql/run/s.sock", "/srv/mysql/run"),
        ("log_error", "log/error", "/srv/mysql/log"),
    ],
)
def test_what_no_backup_brings_along_is_a_reason_whether_the_server_runs_or_not(name, value, place):
    for told in (replica(variables={name: value}), down(replica(variables={name: value}))):
        (reason,) = against_replacing(told, "db2", "db2")
        assert f"db2 has {name} in {place}, a directory in its data directory /srv/mysql" in reason


def test_what_the_next_start_would_need_counts_too():
    (reason,) = against_replacing(replica(configured={"log_bin": "binlog/bin"}), "db2", "db2")
    assert "db2 has log_bin in /srv/mysql/binlog" in reason


def test_one_directory_is_told_once():
    both = {"relay_log": "logs/relay", "relay_log_index": "logs/relay.index", "log_bin": "/srv/mysql/logs/bin"}
    assert len(against_replacing(replica(variables=both), "db2", "db2")) == 1


def test_what_lies_in_the_data_directory_itself_or_outside_is_none():
    fine = {
        "tmpdir": "/tmp", "innodb_undo_directory": "./", "aria_log_dir_path": "/srv/mysql/", "log_error": "",
        "innodb_log_group_home_dir": ".", "relay_log": "relay", "log_bin_basename": "/srv/mysql/bin",
        "innodb_data_file_path": "ibdata1:12M:autoextend", "pid_file": "/run/mysqld/s.pid", "socket": "s.sock",
        "slave_load_tmpdir": "/srv/mysql", "master_info_file": "master.info",
    }
    assert against_replacing(replica(variables=fine), "db2", "db2") == []
