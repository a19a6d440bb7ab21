"""How a wish for encryption is said to the client, which tries the login, and to the channel, which replicates."""

import pytest

from hosttools import sql
from replicahost import settings, tls
from replicaplan.errors import ReplicaRefused

CA = "/etc/mysql/ca.pem"


def said(version="11.4.2-MariaDB", **wish):
    """(lines of the client's defaults file, words of CHANGE MASTER), of a minion that says so."""
    replication = settings.read({"replication": {"user": "repl", **wish}}).replication
    client = sql.defaults(tls.of_client(replication, version)).splitlines()[1:]
    return client, [f"{name}={value}" for name, value in tls.of_channel(replication)]


@pytest.mark.parametrize(
    ("wish", "client", "channel"),
    [
        ({}, [], []),
        ({"ssl": False}, ['ssl="0"'], ["SSL=0"]),
        ({"ssl": True}, ['ssl="1"'], ["SSL=1"]),
        ({"ssl": True, "ssl_verify": False}, ['ssl="1"', 'ssl-verify-server-cert="0"'],
         ["SSL=1", "SSL_VERIFY_SERVER_CERT=0"]),
        ({"ssl_verify": True}, ['ssl="1"', 'ssl-verify-server-cert="1"'], ["SSL=1", "SSL_VERIFY_SERVER_CERT=1"]),
        ({"ssl_ca": CA}, ['ssl="1"', 'ssl-verify-server-cert="1"', f'ssl-ca="{CA}"'],
         ["SSL=1", "SSL_VERIFY_SERVER_CERT=1", f"SSL_CA='{CA}'"]),
        ({"ssl_ca": CA, "ssl_verify": False}, ['ssl="1"', 'ssl-verify-server-cert="0"', f'ssl-ca="{CA}"'],
         ["SSL=1", "SSL_VERIFY_SERVER_CERT=0", f"SSL_CA='{CA}'"]),
    ],
)
def test_the_login_is_tried_as_replication_connects_and_what_is_not_said_is_left_to_both(wish, client, channel):
    assert said(**wish) == (client, channel)
    assert said("10.11.6-MariaDB", **wish) == (client or ['ssl="0"'], channel)


def test_a_client_that_would_encrypt_by_itself_does_not_where_the_server_would_not():
    """Else a user that needs encryption were admitted now, and refused when the old data is exchanged."""
    assert said("10.11.6-MariaDB") == (['ssl="0"'], [])


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"ssl": "yes"}, "ssl in this minion's configuration or pillar has to be true or false, not 'yes'"),
        ({"ssl_verify": 1}, "ssl_verify in this minion's configuration or pillar has to be true or false, not 1"),
        ({"ssl_ca": "ca.pem"}, "has to be the absolute path of a file, not 'ca.pem'"),
        ({"ssl": False, "ssl_ca": CA}, "one of them is not meant"),
    ],
)
def test_a_wish_that_cannot_be_meant_is_refused(wish, words):
    with pytest.raises(ReplicaRefused) as error:
        said(**wish)
    assert words in error.value.text
