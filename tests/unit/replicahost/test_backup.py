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
