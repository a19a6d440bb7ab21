"""What a clone would not keep of how a replica follows."""

import pytest

from replicaplan.channels import lost_by_cloning

from .facts import channel, replica


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ([channel(delay=3600)], "3600 s behind its primary on purpose"),
        ([channel(filters={"Replicate_Do_DB": "shop"})], "only a part of what its primary logs (Replicate_Do_DB)"),
    ],
)
def test_what_a_replica_does_on_purpose_is_not_lost_without_a_word(channels, words):
    (reason,) = lost_by_cloning(replica(channels=channels), "db2")
    assert words in reason


def test_a_replica_as_others_loses_nothing():
    assert lost_by_cloning(replica(), "db2") == []
