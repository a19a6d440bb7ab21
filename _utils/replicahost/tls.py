"""Encryption of the way to the primary: one wish, in the words of the client and in those of a channel.

What the settings leave open is left to the server, which encrypts by itself since 11.4, and before does not. The client
is told to do as that does, so what a login shows holds for replication too.
"""

from hosttools import backups, sql

BY_ITSELF = (11, 4)


def wanted(replication):
    """Whether the connection has to be encrypted."""
    return bool(replication.ssl or replication.ssl_ca or replication.ssl_verify)


def of_client(replication, version):
    """The options of a client that connects as a server of this version replicates, as lines of its defaults file."""
    plain = _ssl(replication) is None and backups.series(version) < BY_ITSELF
    switch = "0" if plain else _switch(_ssl(replication))
    return {"ssl": switch, "ssl-verify-server-cert": _switch(_verify(replication)), "ssl-ca": replication.ssl_ca}


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
