"""Where a new replica goes on, and when that is believed."""

import pytest

from replicaplan.positions import against_log, against_position, against_untold, coordinates

from .facts import BACKUP, channel, replica


def test_coordinates_of_a_primarys_backup_are_those_of_its_own_log():
    found, troubles = coordinates(BACKUP, donor_is_primary=True)
    assert (found["gtid"], troubles) == ("0-1-7", [])


def test_coordinates_of_a_replicas_backup_are_those_of_its_primary():
    upstream = {"file": "p.2", "position": 9, "gtid": "0-1-5"}
    found, troubles = coordinates({**BACKUP, "channels": 1, "upstream": upstream}, donor_is_primary=False)
    assert (found, troubles) == (upstream, [])


def test_coordinates_that_contradict_each_other_are_refused():
    upstream = {"file": "", "position": 0, "gtid": "0-1-50"}
    _, (sentence,) = coordinates({**BACKUP, "upstream": upstream}, donor_is_primary=False)
    assert "contradicts itself: received 0-1-50, logged 0-1-7" in sentence


LOG = {"files": ["b.3", "b.4"], "begins": "0-1-7,2-9-3"}


@pytest.mark.parametrize("gtid", ["0-1-7,2-9-3", "0-1-9,2-8-30,5-1-1"])
def test_a_log_that_begins_before_the_backup_ends_can_be_followed(gtid):
    assert against_log({"gtid": gtid, "file": "b.1", "position": 4}, LOG, "db1") == []


@pytest.mark.parametrize(("gtid", "missing"), [("0-1-6,2-9-3", "0-1-7"), ("0-1-7", "2-9-3")])
def test_a_log_that_begins_later_is_told_with_what_is_missing(gtid, missing):
    (sentence,) = against_log({"gtid": gtid, "file": "b.4", "position": 4}, LOG, "db1")
    assert f"db1 has purged its binary logs up to {missing}, and" in sentence


def test_without_gtid_the_file_has_to_be_there():
    assert against_log({"gtid": "", "file": "b.4", "position": 4}, LOG, "db1") == []
    assert "purged b.2" in against_log({"gtid": "", "file": "b.2", "position": 4}, LOG, "db1")[0]
    assert "no binary log" in against_log({"gtid": "0-1-7"}, {"files": [], "begins": ""}, "db1")[0]


def test_without_coordinates_nothing_is_guessed():
    nowhere = {"file": "", "position": 0, "gtid": ""}
    assert coordinates({**BACKUP, "coordinates": nowhere}, donor_is_primary=True)[1] != []
    assert coordinates({**BACKUP, "upstream": nowhere}, donor_is_primary=False)[1] != []
    assert coordinates({**BACKUP, "channels": 2, "upstream": BACKUP["coordinates"]}, False)[1] != []


def of_donor(upstream, logged):
    place = {"file": "", "position": 0}
    return {**BACKUP, "upstream": {**place, "gtid": upstream}, "coordinates": {**place, "gtid": logged}}


BY_FILE = [channel(using_gtid="No")]


@pytest.mark.parametrize(("upstream", "logged"), [("0-1-7", "0-1-9"), ("0-1-7", ""), ("0-1-9,1-1-3", "0-1-9")])
def test_a_position_that_nothing_keeps_up_to_date_is_believed_only_if_it_is_what_was_logged(upstream, logged):
    (reason,) = against_position(BY_FILE, of_donor(upstream, logged), "db2")
    assert "db2 replicates by file and position" in reason
    assert against_position(BY_FILE, of_donor(logged, logged), "db2") == []
    assert against_position([channel()], of_donor(upstream, logged), "db2") == []


def test_a_donor_whose_position_nothing_confirms_is_refused_before_the_backup():
    known = {"gtid_slave_pos": "0-1-7", "log_slave_updates": "OFF"}
    (reason,) = against_untold(replica(channels=BY_FILE, variables=known), "db2")
    assert "does not log what it applies" in reason
    for other in ({"log_slave_updates": "ON"}, {"gtid_slave_pos": ""}):
        assert against_untold(replica(channels=BY_FILE, variables={**known, **other}), "db2") == []
    assert against_untold(replica(variables=known), "db2") == []
