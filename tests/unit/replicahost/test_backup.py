"""What a backup in a directory says of itself, by whichever names its files have."""

import pytest

from replicahost import backup
from replicaplan.errors import BackupUnfit

SINCE_11_1, BEFORE = "mariadb_backup", "xtrabackup"


def make(place, prefix, kind="full-backuped", more=""):
    """The info files of a backup of a replica."""
    info = "tool_name = mariadb-backup\nserver_version = 11.4.2-MariaDB-log\nend_time = 2026-11-01 10:00:00\n"
    texts = {
        "info": f"{info}partial = N\ncompressed = N\n{more}",
        "checkpoints": f"backup_type = {kind}\nfrom_lsn = 0\nto_lsn = 4711\n",
        "binlog_info": "db2-bin.000003\t4242\t0-1-77\n",
        "slave_info": "SET GLOBAL gtid_slave_pos = '0-1-70';\nCHANGE MASTER TO master_use_gtid = slave_pos\n",
    }
    for name, text in texts.items():
        place.joinpath(f"{prefix}_{name}").write_text(text)
    return str(place)


@pytest.mark.parametrize("prefix", [BEFORE, SINCE_11_1])
def test_the_names_of_info_files_before_and_since_11_1_are_read(tmp_path, prefix):
    told = backup.read(make(tmp_path, prefix)).as_dict()
    assert (told["complete"], told["prepared"], told["to_lsn"]) == (True, False, 4711)
    assert told["coordinates"] == {"file": "db2-bin.000003", "position": 4242, "gtid": "0-1-77"}
    assert (told["upstream"]["gtid"], told["channels"]) == ("0-1-70", 1)


def test_directories_of_storage_engines_and_hidden_ones_are_no_schemas(tmp_path):
    for name in ("shop", "@0023odd", "mysql", "sys", "#rocksdb", "#innodb_redo", ".rocksdb", "lost+found"):
        (tmp_path / name).mkdir()
    assert backup.read(make(tmp_path, BEFORE)).schemas == ["@0023odd", "shop"]


def test_what_was_interrupted_while_it_was_prepared_is_neither(tmp_path):
    path = make(tmp_path, BEFORE)
    tmp_path.joinpath(backup.BEGUN).touch()
    with pytest.raises(BackupUnfit, match="being prepared when that was interrupted"):
        backup.prepare(path)


def test_an_incremental_backup_is_not_prepared(tmp_path):
    with pytest.raises(BackupUnfit, match="is incremental; only full backups"):
        backup.prepare(make(tmp_path, BEFORE, kind="incremental"))


@pytest.mark.parametrize("more", ["partial = Y", "compressed = compressed", "encrypted = Y"])
def test_what_is_only_a_part_or_has_to_be_unpacked_first_is_not_prepared(tmp_path, more):
    """The server's own configuration can make the tool do that."""
    with pytest.raises(BackupUnfit, match=f"is {more.split()[0]}"):
        backup.prepare(make(tmp_path, BEFORE, more=f"{more}\n"))
    assert not tmp_path.joinpath(backup.BEGUN).exists()


@pytest.fixture
def tool(monkeypatch):
    """tool(version): the backup tool that is installed here."""

    def tool(version):
        said = f"mariabackup based on MariaDB server {version} debian-linux-gnu (x86_64)".encode()
        monkeypatch.setattr(backup, "find_tool", lambda names, what: "mariabackup")
        monkeypatch.setattr(backup.process, "run", lambda command: backup.process.Result(0, stderr=said))

    return tool


@pytest.mark.parametrize(
    ("version", "words"), [("11.4.1-MariaDB", "that is not older"), ("10.11.9-MariaDB", "of the same series")]
)
def test_a_tool_that_may_not_know_the_donors_log_prepares_nothing(tmp_path, tool, version, words):
    tool(version)
    with pytest.raises(BackupUnfit, match=words):
        backup._check_tool(backup.read(make(tmp_path, BEFORE)))


@pytest.mark.parametrize("version", ["11.4.2-MariaDB", "11.4.10-MariaDB"])
def test_a_tool_of_the_donors_version_or_a_newer_one_of_its_series_prepares(tmp_path, tool, version):
    tool(version)
    backup._check_tool(backup.read(make(tmp_path, BEFORE)))


def test_what_the_units_around_us_may_have_counts(tmp_path):
    own, tree = tmp_path / "own", tmp_path / "tree"
    own.write_text("1:name=systemd:/other\n0::/system.slice/minion.service\n")
    inner = tree / "system.slice/minion.service"
    inner.mkdir(parents=True)
    for place, limit in ((inner, "max\n"), (inner.parent, "1000000\n"), (tree.parent, "5\n")):
        (place / "memory.max").write_text(limit)
    assert [*backup._limits(own, tree)] == [1000000]
