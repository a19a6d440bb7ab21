"""What a clone would not keep of how a replica follows, and when its GTID position is believed."""

import pytest

from replicaplan import following

from .facts import BACKUP, channel, replica


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ([channel(delay=3600)], "3600 s behind its primary on purpose"),
        ([channel(filters={"Replicate_Do_DB": "shop"})], "only a part of what its primary logs (Replicate_Do_DB)"),
    ],
)
def test_what_a_replica_does_on_purpose_is_not_lost_without_a_word(channels, words):
    (reason,) = following.lost_by_cloning(replica(channels=channels), "db2")
    assert words in reason


def test_a_replica_as_others_loses_nothing():
    assert following.lost_by_cloning(replica(), "db2") == []


def of_donor(upstream, logged):
    place = {"file": "", "position": 0}
    return {**BACKUP, "upstream": {**place, "gtid": upstream}, "coordinates": {**place, "gtid": logged}}


BY_FILE = [channel(using_gtid="No")]


@pytest.mark.parametrize(("upstream", "logged"), [("0-1-7", "0-1-9"), ("0-1-7", ""), ("0-1-9,1-1-3", "0-1-9")])
def test_a_position_that_nothing_keeps_up_to_date_is_believed_only_if_it_is_what_was_logged(upstream, logged):
    (reason,) = following.against_position(BY_FILE, of_donor(upstream, logged), "db2")
    assert "db2 replicates by file and position" in reason
    assert following.against_position(BY_FILE, of_donor(logged, logged), "db2") == []
    assert following.against_position([channel()], of_donor(upstream, logged), "db2") == []


def test_a_donor_whose_position_nothing_confirms_is_refused_before_the_backup():
    known = {"gtid_slave_pos": "0-1-7", "log_slave_updates": "OFF"}
    (reason,) = following.against_untold(replica(channels=BY_FILE, variables=known), "db2")
    assert "does not log what it applies" in reason
    for other in ({"log_slave_updates": "ON"}, {"gtid_slave_pos": ""}):
        assert following.against_untold(replica(channels=BY_FILE, variables={**known, **other}), "db2") == []
    assert following.against_untold(replica(variables=known), "db2") == []
