"""The settings of databases: `replica` of a minion, and `replica_repair` of the master. One table for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .kinds import HostName, HostNames, Line, Path, Place, Truth, Whole
from .tables import Named, Part, Section, Setting, Table

SECRET = (
    "A secret: let it stand in the pillar of this minion alone, encrypted there (Salt's renderer gpg) if its files are "
    "under version control, and never in a file that the master serves to all."
)


def _encryption(place: Place, sound: Mapping[str, Any]) -> list[str]:
    if sound.get("ssl") is False and (sound.get("ssl_ca") or sound.get("ssl_verify")):
        return [f"{place.path} has ssl: false beside ssl_ca or ssl_verify: one of them is not meant."]
    return []


REPLICATION = Table(
    (
        Setting(
            "user", Line(), "", "repl",
            "With which account a replica logs in at its primary. There it needs REPLICATION SLAVE.",
        ),
        Setting("password", Line(), "", "the password of repl", f"Its password. {SECRET}"),
        Setting(
            "ssl", Truth(), None, True,
            "Whether replication is encrypted. true alone asks for encryption of whoever answers. Not said, it is left "
            "to MariaDB, which encrypts and verifies by itself since 11.4.",
        ),
        Setting(
            "ssl_ca", Path("the absolute path of a file", empty=True), "", "/etc/mysql/authority.pem",
            "The authority whose certificate a primary has to show, for the address under which it is reached; "
            "replication is encrypted then. The file has to be on every replica, and readable for the server.",
        ),
        Setting(
            "ssl_verify", Truth(), None, True,
            "Whether that certificate is verified. true asks for encryption too, also alone. Not said, it is verified "
            "if there is ssl_ca, else as MariaDB does by itself.",
        ),
    ),
    together=_encryption,
)

DATABASE = Table(
    (
        Setting(
            "unit", Line(), "", "mariadb.service",
            "Which unit of systemd runs the server, where several do on one host. Not said, it is the first of "
            "mariadb, mysql, mysqld and mysqld-server that is there.",
        ),
        Setting(
            "socket", Line(), "", "/run/mysqld/mysqld.sock",
            "Where the server listens, if its own configuration does not say so.",
        ),
        Setting(
            "user", Line(), "root", "dba",
            "With which account the server of this host is logged in to. root needs no password at the socket of "
            "Debian's and MariaDB's packages. Beside defaults_file, root counts only where that file names nobody.",
        ),
        Setting(
            "password", Line(), "", "the password of dba", f"Its password, if it is not in defaults_file. {SECRET}"
        ),
        Setting(
            "defaults_file", Line(), "", "/root/.my.cnf",
            "A file of the server's own client, which only root can read, with user and password. What is named here "
            "beside it counts; what is not is taken from it. Better than `password`: what a kill left half done is "
            "undone by a timer, which logs in by this file and is never told a password.",
        ),
        Setting(
            "open_files", Whole(1), 1_000_000, 200_000,
            "How many files preparing a backup may have open, as far as the kernel lets it.",
        ),
        Setting(
            "replication", Part(REPLICATION), {}, {"user": "repl", "password": "the password of repl"},
            "With what a replica logs in at its primary. Where configuration and pillar both have it, that of the "
            "configuration counts as a whole.",
        ),
    )
)


def _hosts_of_one(place: Place, sound: Mapping[str, Any]) -> list[str]:
    primary, replicas, donor = sound.get("primary", ""), sound.get("replicas", []), sound.get("donor", "")
    twice = [host for host in dict.fromkeys(replicas) if replicas.count(host) > 1]
    wrong = [f"{place.path} has {host} twice as a replica." for host in twice]
    if primary in replicas:
        wrong.append(f"{place.path} has {primary} as primary and as a replica.")
    if donor and {"primary", "replicas"} <= set(sound) and donor not in (primary, *replicas):
        wrong.append(f"{place.path}:donor has to be one of its hosts, not {donor}: nobody else is asked how it is.")
    return wrong


CLUSTER = Table(
    (
        Setting(
            "primary", HostName(), None, "db1", "The server that is written to. It is never repaired.", needed=True
        ),
        Setting(
            "replicas", HostNames(), None, ["db2", "db3"],
            "The servers that follow it, which may be repaired. Who follows one of them is named here too, and is not "
            "repaired by itself.",
            needed=True,
        ),
        Setting(
            "donor", HostName(empty=True), "", "db3",
            "Which of these hosts every repair is made from. Not said, it is the healthy replica with the least lag, "
            "and the primary if all are more than 600 seconds behind.",
        ),
    ),
    together=_hosts_of_one,
)
CLUSTERS = Named(CLUSTER)

REPAIRS = Table(
    (
        Setting(
            "clusters", CLUSTERS, {}, {"main": {"primary": "db1", "replicas": ["db2", "db3"]}},
            "Which servers belong together, under a name for each cluster. A host belongs to one. Without any, nothing "
            "is repaired.",
        ),
        Setting(
            "cooldown", Whole(0, "seconds"), 3600, 600,
            "How long after the beginning of a repair no other one of the same host begins; each attempt counts, also "
            "one that failed.",
        ),
        Setting(
            "daily", Whole(0), 2, 5,
            "How many repairs of one cluster may begin within a day; each attempt counts. 0 permits none.",
        ),
        Setting(
            "approve", Truth(), False, True,
            "Only propose a repair, until somebody says salt-run replica.approve.",
        ),
        Setting(
            "state", Path(), "/var/lib/salt-transfer/repairs", "/srv/salt-transfer/repairs",
            "Where on the master is kept what was repaired and proposed.",
        ),
    )
)

HOST = Section(
    Place("replica", "this minion's configuration or pillar"),
    DATABASE,
    title="Settings of databases",
    about="How a minion reaches its own database, and with what a replica logs in at its primary.",
    origin="From `replica:` in the minion's own configuration, else from `replica:` in its pillar, each setting by "
    "itself; else the default. Neither the master's configuration nor the command line can set them. A copy with "
    "type=xtrabackup takes user, password and defaults_file of it, and leaves the rest unread, whatever is wrong "
    "there. What is said nowhere is asked of the server: [databases](databases.md#set-it-up).",
)
REPAIR = Section(
    Place("replica_repair", "the master's configuration"),
    REPAIRS,
    title="Repairs",
    about="Which replicas the master may repair by itself, and how often.",
    origin="From `replica_repair:` in the master's configuration, else the default. What is repaired, and what never: "
    "[repairs](database-repairs.md).",
)
