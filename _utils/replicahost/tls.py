"""Encryption of the way to the primary: one wish, in the words of the client and in those of a channel.

What the settings leave open is left to the program that connects: MariaDB encrypts by itself since 11.4, before it does
not. Both connect alike, so what a login shows holds for replication too.
"""

from hosttools import sql


def wanted(replication):
    """Whether the connection has to be encrypted."""
    return bool(replication.ssl or replication.ssl_ca or replication.ssl_verify)


def of_client(replication):
    """The options of a client that connects as replication does, as lines of its defaults file."""
    chosen = {"ssl": _switch(_ssl(replication)), "ssl-verify-server-cert": _switch(_verify(replication))}
    return {**chosen, "ssl-ca": replication.ssl_ca}


def of_channel(replication):
    """What CHANGE MASTER says of it, as pairs of a name and a literal."""
    switches = [("SSL", _switch(_ssl(replication))), ("SSL_VERIFY_SERVER_CERT", _switch(_verify(replication)))]
    authority = [("SSL_CA", sql.quote(replication.ssl_ca))] if replication.ssl_ca else []
    return [*((name, value) for name, value in switches if value), *authority]


def _ssl(replication):
    return True if wanted(replication) else replication.ssl


def _verify(replication):
    """Who names an authority wants to know whom it reaches."""
    return True if replication.ssl_verify is None and replication.ssl_ca else replication.ssl_verify


def _switch(wish):
    return "" if wish is None else str(int(wish))
