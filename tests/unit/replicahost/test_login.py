"""What a login at the primary has to show, and which replica can be halted for a comparison."""

from types import SimpleNamespace

import pytest

from replicahost import discovery, replicating, settings
from replicaplan.errors import DatabaseRefuses, ReplicaRefused
from tests.unit.replicaplan.facts import channel

ADMITTED = {"user": "repl@%", "role": "", "cipher": "", "privilege": "REPLICATION SLAVE"}


@pytest.fixture
def trouble(monkeypatch):
    """trouble(what the primary tells of the session, settings of replication) -> the sentence."""

    def trouble(told, **wish):
        def document(_server, _query, patience):
            if isinstance(told, Exception):
                raise told
            return {**ADMITTED, **told}

        monkeypatch.setattr(replicating.Server, "document", document)
        return replicating.login_trouble(settings.Replication("repl", "secret", **wish), "10.0.0.1", 3306, "11.4.2")

    return trouble


def test_a_login_that_may_read_the_log_is_no_trouble(trouble):
    assert trouble({}) == ""
    assert trouble({"cipher": "TLS_AES_256_GCM_SHA384"}, ssl=True) == ""


def test_a_login_that_is_refused_is_told_in_the_servers_words(trouble):
    assert trouble(DatabaseRefuses("Access denied")) == "Access denied"


def test_a_login_that_may_not_read_the_log_names_the_grant(trouble):
    assert "GRANT REPLICATION SLAVE ON *.* TO repl@%" in trouble({"privilege": None})


def test_a_login_with_a_role_is_believed_because_its_privileges_are_not_listed(trouble):
    assert trouble({"privilege": None, "role": "replicas"}) == ""


@pytest.mark.parametrize("wish", [{"ssl": True}, {"ssl_verify": True}])
def test_a_primary_that_does_not_encrypt_though_that_was_asked_for_is_told(trouble, wish):
    assert "10.0.0.1:3306 does not encrypt" in trouble({}, **wish)


def test_an_authority_that_is_not_there_is_told_before_anybody_is_asked(trouble):
    assert trouble({}, ssl_ca="/nowhere/ca.pem").startswith("/nowhere/ca.pem, which")


def test_a_replica_of_several_primaries_is_not_halted_for_a_comparison(monkeypatch, tmp_path):
    monkeypatch.setattr(discovery, "replication", lambda _server: [channel(name="one"), channel(name="two")])
    with pytest.raises(ReplicaRefused, match="follows 2 primaries"):
        replicating.pause(SimpleNamespace(server=None), tmp_path, 30)
    assert not [*tmp_path.iterdir()]
