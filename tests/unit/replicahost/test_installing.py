"""The statements that make a replica, and the configuration that they need."""

import pytest

from hosttools.backups import Coordinates
from replicahost import installing, settings
from replicaplan.errors import ReplicaRefused

LOGIN = settings.Replication("repl", "it's a \\secret", True)


def test_with_a_gtid_the_file_is_left_out():
    text = installing.change_master("10.0.0.1", 3307, Coordinates("b.7", 42, "0-1-9"), LOGIN)
    assert "SET GLOBAL gtid_slave_pos='0-1-9'" in text
    assert "MASTER_USE_GTID=slave_pos" in text
    assert "LOG_FILE" not in text
    assert "MASTER_PORT=3307" in text and "MASTER_SSL=1" in text
    assert "MASTER_PASSWORD='it\\'s a \\\\secret'" in text


def test_without_a_gtid_the_file_counts_and_gtid_is_switched_off():
    text = installing.change_master("10.0.0.1", 3306, Coordinates("b.7", 42), LOGIN)
    assert "MASTER_LOG_FILE='b.7', MASTER_LOG_POS=42, MASTER_USE_GTID=no" in text
    assert "gtid_slave_pos" not in text


def test_settings_come_in_layers_and_strange_ones_are_named():
    read = settings.read({"unit": "m@1.service"}, {"unit": "other", "user": "dba", "replication": {"user": "repl"}})
    assert (read.units, read.user, read.replication.user) == (("m@1.service",), "dba", "repl")
    assert settings.read(None, None).units == settings.UNITS
    with pytest.raises(ReplicaRefused) as error:
        settings.read({"sock": 1, "replication": {"pass": 2}})
    assert len(error.value.evidence["reasons"]) == 2


def test_no_password_shows_when_settings_are_printed():
    assert "secret" not in repr(settings.Settings(password="a secret", replication=LOGIN))
