"""Replication that is encrypted and knows whom it reaches: a primary with its own certificate, a user that needs it."""

import contextlib

import pytest
from lab.database import REPLICATION_PASSWORD

from tests.support.databases import Minion

from .conftest import INCOMING

pytestmark = [pytest.mark.root, pytest.mark.slow]

CERTIFICATE, KEY = "/etc/mysql/tls/server.pem", "/etc/mysql/tls/server.key"
CONFIG = f"[mariadbd]\nssl_cert={CERTIFICATE}\nssl_key={KEY}\n"
AUTHORITY = "/etc/mysql/authority.pem"
USER = "encrypted"


def certify(machine, certificate, key, address):
    """A certificate that is its own authority."""
    machine.run(["install", "--directory", "/etc/mysql/tls"])
    named = ["-subj", "/CN=db1", "-addext", f"subjectAltName=IP:{address}"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    machine.run(["openssl", "req", "-x509", *kind, *named, "-keyout", key, "-out", certificate])
    machine.run(["chown", "mysql:mysql", key])
    return machine.output("cat", certificate)


def restart(pair):
    """The primary with another configuration; its replica does not wait for a minute until it is there again."""
    pair.primary.stop()
    pair.primary.start()
    pair.replica.sql("STOP SLAVE; START SLAVE")


@pytest.fixture(scope="module")
def primary(built):
    """Its certificate, while it encrypts; another one that it does not have."""
    machine = built.primary.machine
    own = certify(machine, CERTIFICATE, KEY, machine.ip)
    other = certify(machine, "/etc/mysql/tls/other.pem", "/etc/mysql/tls/other.key", machine.ip)
    built.primary.allow_replication(USER)
    built.primary.sql(f"ALTER USER {USER}@'%' REQUIRE SSL")
    place = machine.path("/etc/mysql/mariadb.conf.d/92-tls.cnf")
    place.write_text(CONFIG)
    restart(built)
    yield own, other
    place.unlink()
    restart(built)


@pytest.fixture
def minion(pair):
    """minion(certificate, settings) -> a minion of the replica that replicates so and trusts that authority."""
    with contextlib.ExitStack() as stack:

        def start(authority, **wish):
            machine = pair.replica.machine
            machine.run(["install", "-m", "644", "/dev/stdin", AUTHORITY], input=authority)
            login = {"user": USER, "password": REPLICATION_PASSWORD, **wish}
            return stack.enter_context(contextlib.closing(Minion(machine, replica={"replication": login})))

        yield start


def test_a_primary_that_does_not_encrypt_and_a_user_that_may_not_follow_are_told(pair, minion):
    """Before the certificate is there."""
    pair.primary.sql("CREATE USER nobody@'%' IDENTIFIED BY 'x'")
    told = minion("", ssl=True, user="nobody", password="x").call("replica.login", pair.primary.machine.ip)["trouble"]
    assert "lacks REPLICATION SLAVE: GRANT REPLICATION SLAVE ON *.* TO nobody@%" in told
    assert "does not encrypt" in told


def test_a_replica_follows_a_primary_whose_certificate_it_knows_and_is_equal(pair, primary, minion):
    own, _ = primary
    new, address = minion(own, ssl_ca=AUTHORITY), pair.primary.machine.ip
    assert new.call("replica.login", address) == {"trouble": ""}
    pair.bring()
    new.call("replica.install", INCOMING, confirm="db2", discard_own_writes=True)
    new.call("replica.start_isolated")
    new.call("replica.point", address, donor_is_primary=True)
    channel = new.call("replica.start_replication")
    assert (channel["user"], channel["io"], channel["sql"]) == (USER, "Yes", "Yes")
    assert pair.replicates()
    one, other = pair.count_both()
    assert one["root"] == other["root"]
    new.call("replica.roll_back")


def test_a_certificate_of_another_authority_is_found_before_anything_is_copied(pair, primary, minion):
    _, other = primary
    trouble = minion(other, ssl_ca=AUTHORITY).call("replica.login", pair.primary.machine.ip)["trouble"]
    assert "error 2026" in trouble or "certificate" in trouble.lower()


def test_a_user_that_needs_encryption_is_admitted_only_with_it(pair, primary, minion):
    own, _ = primary
    address = pair.primary.machine.ip
    assert "Access denied" in minion(own).call("replica.login", address)["trouble"]
    assert minion(own, ssl=True).call("replica.login", address) == {"trouble": ""}
