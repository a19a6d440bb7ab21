"""When a server on new data works for nobody yet."""

import pytest

from replicaplan.isolation import against_isolation

from .facts import BACKUP, channel, server


def isolated(variables=None, **other):
    """A server that was started on new data as it should be."""
    return server(variables={"read_only": "ON", **(variables or {})}, **other)


def test_a_server_is_isolated_when_it_is_all_it_should_be():
    assert against_isolation(isolated(), "/srv/mysql", BACKUP) == []
    halted = isolated(channels=[channel(io="No", sql="No")])
    assert against_isolation(halted, "/srv/mysql", BACKUP) == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (isolated(datadir="/srv/other"), "runs on /srv/other, not on /srv/mysql"),
        (isolated({"read_only": "OFF"}), "did not start read-only"),
        (isolated({"event_scheduler": "ON"}), "The event scheduler runs on the new data"),
        (isolated(channels=[channel(sql="No")]), "Replication started by itself"),
        (isolated(channels=[channel(io="No")]), "Replication started by itself"),
        (isolated(schemas=[]), "shows 0 schemas where the backup has 1"),
        (isolated({"replicate_do_db": "shop", "replicate_ignore_db": ""}), "only a part (replicate_do_db=shop)"),
    ],
)
def test_a_server_that_is_not_isolated_is_told_why(told, words):
    (sentence,) = against_isolation(told, "/srv/mysql", BACKUP)
    assert words in sentence
