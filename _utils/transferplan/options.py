"""The one table of options, and the values of all of them.

From this table come the checks of the command line and of every configuration, `salt-run -d transfer.copy`,
`docs/options.md` and `pillar.example/`. Scopes say who may set an option: one of scope `transfer` is one for all hosts,
so a single host's configuration cannot set it; one of scope `host` is each host's own too; one of scope `minion` is
taken from that minion's pillar and config alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import order, profiles
from .kinds import (
    HIGHEST_PORT,
    AutoOr,
    Choice,
    Choices,
    Compression,
    Directory,
    Kind,
    Name,
    NetworkName,
    Patterns,
    Portion,
    Ports,
    Rate,
    Reserve,
    Size,
    Span,
    Truth,
    Whole,
)

MASTER = "the master's configuration"
PILLAR = "the minion's pillar"
MINION = "the minion's own configuration"
COMMAND = "the command line"
SCOPES = {"transfer": (MASTER, COMMAND), "host": (MASTER, PILLAR, MINION, COMMAND), "minion": (PILLAR, MINION)}
POLICY, PROFILES = "policy", profiles.PROFILES
HOMES = {POLICY: MINION, PROFILES: MASTER}
DAY = 86400
CHAIN, SERIAL = FANOUTS = "chain", "serial"

Layer = tuple[str, Any]


@dataclass(frozen=True)
class Option:
    """One option: `kind` says which values it takes, `scope` whose it is (see the module).

    `changeable` options may have another value in a further attempt of a transfer; what was made with the others stays.
    """

    name: str
    kind: Kind
    default: Any
    meaning: str
    example: str
    scope: str = "transfer"
    since: str = "0.1.0"
    changeable: bool = False


OPTIONS: tuple[Option, ...] = (
    Option(
        "type",
        Choice(("file", "xtrabackup", "decompress")),
        "file",
        "What is transferred. file is a file, or a directory with all that is in it; xtrabackup a hot backup of the "
        "database server whose socket is the source; decompress an archive that is unpacked where it arrives.",
        "xtrabackup",
    ),
    Option(
        "stop_replication",
        Truth(),
        False,
        "With type=xtrabackup: stop the donor's SQL threads while its backup is made. They run again afterwards, "
        "whatever happens, as far as they ran before.",
        "True",
    ),
    Option(
        "keep_stream",
        Truth(),
        False,
        "With type=xtrabackup: keep the backup as the one file that its stream is, without unpacking it.",
        "True",
    ),
    Option(
        "parallel",
        AutoOr(Whole(1, 64)),
        "auto",
        "With type=xtrabackup: how many threads of the backup tool read. auto takes 4.",
        "8",
    ),
    Option(
        "backup_tool",
        Choice(("auto", "mariadb-backup", "mariabackup", "xtrabackup")),
        "auto",
        "With type=xtrabackup: the tool that makes the backup. auto takes the one that fits the server.",
        "mariabackup",
    ),
    Option(
        "expect",
        Choice(("nothing", "backup")),
        "nothing",
        "With type=decompress: what the archive must turn out to hold. backup demands a whole hot backup.",
        "backup",
    ),
    Option(
        "profile",
        Name(),
        "",
        "Options under a name, as `profiles` in the master's configuration define them. What is said beside it wins.",
        "wan",
        changeable=True,
    ),
    Option(
        "encrypt",
        Truth(),
        True,
        "Encrypt the data on its way (TLS 1.3). With False only control is encrypted: others on the wire can read the "
        "data, but cannot change it unnoticed.",
        "False",
    ),
    Option(
        "digest",
        Choice(("auto", "blake3", "sha256")),
        "auto",
        "The digest that proves the copy. auto takes blake3 where every host has it, else sha256.",
        "sha256",
    ),
    Option(
        "verify",
        Choice(("readback", "flight")),
        "readback",
        "How much is proved. readback reads everything again from the destination's disk before it is published; "
        "flight trusts what was handed to its kernel and flushed.",
        "flight",
    ),
    Option(
        "compress",
        Compression({"zstd": (1, 19), "zlib": (1, 9)}),
        "auto",
        "Whether data is compressed on its way. auto takes zstd where both hosts have it, else zlib. It leaves out "
        "what does not get smaller, and compresses nothing where the network is faster than that.",
        "zstd:3",
        changeable=True,
    ),
    Option(
        "limit",
        Rate(10_000, 10**12),
        0,
        "How much may travel in a second, over all connections of a transfer together. If several hosts have a limit "
        "the lowest one holds; in a chain every host sends at most so much. It can be changed while the transfer runs: "
        "salt-run transfer.limit.",
        "200MB/s",
        scope="host",
        changeable=True,
    ),
    Option(
        "nice",
        Choice(("none", "normal", "low")),
        "normal",
        "How much of a busy host's processors and disks the worker claims: none as much as another service, normal "
        "half of that, low a tenth.",
        "low",
        scope="host",
        changeable=True,
    ),
    Option(
        "firewall",
        Choice(("auto", "nft", "iptables", "firewalld", "none")),
        "auto",
        "How the destination's firewall is opened. auto finds out; none opens nothing, the port must be open already.",
        "none",
        scope="host",
        changeable=True,
    ),
    Option(
        "network",
        NetworkName(),
        "",
        "Which of the hosts' addresses to use: a network, an address or an interface. Without it a subnet that both "
        "hosts share comes first, then IPv4, then IPv6.",
        "10.20.0.0/16",
        scope="host",
        changeable=True,
    ),
    Option(
        "port",
        Whole(0, HIGHEST_PORT),
        0,
        "The port the destination listens on; 0 takes a free one of `ports`.",
        "4444",
        scope="host",
        changeable=True,
    ),
    Option(
        "ports",
        Ports(),
        (4400, 4499),
        "The range in which a free port is sought when `port` is 0.",
        "5000-5099",
        scope="host",
        changeable=True,
    ),
    Option(
        "streams",
        AutoOr(Whole(1, 16)),
        "auto",
        "How many connections carry data side by side. auto decides by how much there is and how many cores are idle "
        "on both hosts. One that is lost is made again and ends nothing.",
        "4",
        changeable=True,
    ),
    Option(
        "overwrite",
        Truth(),
        False,
        "Replace what stands at the final name, at one stroke, once the copy is proved. With update=True: replace what "
        "is of another kind too (a file where the source has a directory, and the like).",
        "True",
    ),
    Option(
        "update",
        Truth(),
        False,
        "Bring what stands at the final name up to date: only what differs moves, of large files only the blocks that "
        "differ. Each file changes at one stroke, but not the tree as a whole.",
        "True",
    ),
    Option(
        "compare",
        Choice(("time", "digest")),
        "time",
        "How update=True finds what differs. time trusts files that are equal in size and time, and the receipt "
        "counts them; digest reads all of them on both hosts.",
        "digest",
    ),
    Option(
        "delete",
        Truth(),
        False,
        "With update=True: remove from the destination what the source does not have. What include and exclude leave "
        "out is not removed, nor sockets, nor what lies on another file system.",
        "True",
    ),
    Option(
        "delete_limit",
        Portion(),
        "50%",
        "How much delete=True may remove, of all entries at the destination or as a number. More is refused before "
        "anything is changed.",
        "100",
    ),
    Option(
        "owners",
        Choice(("names", "numbers")),
        "names",
        "How owners and groups are carried over: by name (by number where the destination does not know the name), or "
        "always by number.",
        "numbers",
    ),
    Option(
        "special",
        Choices(("setuid", "capabilities", "fifos", "devices")),
        (),
        "Which unusual entries may travel: setuid and setgid files, files with capabilities, FIFOs, devices. A source "
        "that holds others is refused. The destination's policy has the last word.",
        "setuid,fifos",
    ),
    Option(
        "include",
        Patterns(),
        (),
        "What alone travels of a directory: entries that match one of these patterns, and what lies below them. "
        "The patterns are explained in operations.",
        "*.ibd,/conf/",
    ),
    Option(
        "exclude",
        Patterns(exceptions=True),
        (),
        "What does not travel of a directory, with all below it. The first pattern that matches decides; one that "
        "begins with ! keeps what it matches. The patterns are explained in operations.",
        "*.log,/cache/",
    ),
    Option(
        "reserve",
        Reserve(),
        "auto",
        "What must stay free at the destination. auto keeps 5 % of the file system, at most 2 GiB and 10,000 inodes.",
        "10GiB",
        scope="host",
        changeable=True,
    ),
    Option(
        "lease",
        Span(10, 3600),
        30,
        "How long a pinhole, a lock or a waiting worker outlives the death of whoever renews it.",
        "60s",
        changeable=True,
    ),
    Option(
        "stall_timeout",
        Span(5, 7 * DAY),
        300,
        "How long nothing may move before the transfer fails.",
        "10m",
        changeable=True,
    ),
    Option(
        "keep_partial",
        Span(0, 365 * DAY),
        7 * DAY,
        "How long what has arrived stays in its staging directory when a transfer fails, so that transfer.resume can "
        "go on with it. 0 removes it at once. A transfer that is cancelled keeps nothing.",
        "2d",
        changeable=True,
    ),
    Option(
        "fanout",
        Choice(FANOUTS),
        CHAIN,
        "How data comes to several destinations. chain: each passes on what has landed, and the source is read once; "
        "serial: one after the other, each from the source.",
        "serial",
        changeable=True,
    ),
    Option(
        "order",
        Choice(order.CHOICES),
        order.AUTO,
        "In which order several destinations come. auto: neighbours in a network after each other, those with fast "
        "links, room and idle cores first; given: as they are named.",
        "given",
        changeable=True,
    ),
    Option(
        "wait",
        Span(0, 7 * DAY),
        0,
        "How long to wait where a host takes part in as many transfers as its `max_transfers` allows. Who asked first "
        "comes first, on all its hosts. 0 refuses at once.",
        "2h",
        changeable=True,
    ),
    Option(
        "job_timeout",
        Span(2, 600),
        15,
        "How long the runner waits for a minion's answer. Measuring the source may take a third of it; what has not "
        "been counted by then is estimated.",
        "60s",
        changeable=True,
    ),
    Option(
        "probe",
        Truth(),
        False,
        "With transfer.plan or test=True: send random bytes from the source to each destination for 2 s, one after the "
        "other, over a pinhole of their own that is closed again. The plan then tells whether the way is open, and how "
        "long the copy will take at the rate that was measured. Nothing is read from or written to any path.",
        "True",
        changeable=True,
    ),
    Option(
        "quiet",
        Truth(),
        False,
        "Show no progress, only the result.",
        "True",
        changeable=True,
    ),
    Option(
        "verbose",
        Truth(),
        False,
        "Show every step of every host.",
        "True",
        changeable=True,
    ),
    Option(
        "keep_runs",
        Span(0, 3650 * DAY),
        14 * DAY,
        "How long a minion keeps the records of ended transfers.",
        "90d",
        scope="minion",
    ),
    Option(
        "keep_runs_bytes",
        Size(),
        0,
        "How much room the records of ended transfers may take; the oldest go first. 0 is no bound.",
        "1GiB",
        scope="minion",
    ),
    Option(
        "keep_partial_bytes",
        Size(),
        0,
        "How much of what arrived before transfers failed is kept on this host, beside the time that `keep_partial` "
        "allows; the oldest goes first. 0 is no bound.",
        "500GiB",
        scope="minion",
    ),
    Option(
        "max_transfers",
        Whole(0, 10_000),
        0,
        "In how many transfers this host takes part at once; more are refused, or wait (`wait`). 0 is any number.",
        "4",
        scope="minion",
    ),
    Option(
        "state_dir",
        Directory(),
        "/var/lib/salt-transfer",
        "Where a minion keeps its run directories and its register.",
        "/data/salt-transfer",
        scope="minion",
    ),
)
TABLE: Mapping[str, Option] = {option.name: option for option in OPTIONS}


@dataclass(frozen=True)
class Settings:
    """The values in force; `origins` says which layer gave those that are not the default."""

    type: str
    stop_replication: bool
    keep_stream: bool
    parallel: str | int
    backup_tool: str
    expect: str
    profile: str
    encrypt: bool
    digest: str
    verify: str
    compress: str
    limit: int
    nice: str
    firewall: str
    network: str
    port: int
    ports: tuple[int, int]
    streams: str | int
    overwrite: bool
    update: bool
    compare: str
    delete: bool
    delete_limit: str | int
    owners: str
    special: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    reserve: str | int
    lease: int
    stall_timeout: int
    keep_partial: int
    fanout: str
    order: str
    wait: int
    job_timeout: int
    probe: bool
    quiet: bool
    verbose: bool
    keep_runs: int
    keep_runs_bytes: int
    keep_partial_bytes: int
    max_transfers: int
    state_dir: str
    origins: Mapping[str, str] = field(default_factory=dict)

    def values(self, *scopes: str) -> dict[str, Any]:
        """The values of these scopes (all without any), as JSON carries them."""
        wanted = scopes or tuple(SCOPES)
        return {option.name: _plain(getattr(self, option.name)) for option in OPTIONS if option.scope in wanted}

    def commanded(self) -> dict[str, Any]:
        """What the command line fixed."""
        return {name: _plain(getattr(self, name)) for name, layer in self.origins.items() if layer == COMMAND}

    def given(self) -> list[str]:
        """The options of scope `host` that the command line fixed, so that no host's own configuration counts."""
        return sorted(name for name, layer in self.origins.items() if layer == COMMAND and TABLE[name].scope == "host")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def describe(scopes: Sequence[str] = ("transfer", "host")) -> str:
    """The table as plain text, for the documentation of the runner's functions."""
    return "\n".join(_entry(option) for option in OPTIONS if option.scope in scopes)


def _entry(option: Option) -> str:
    kind = option.kind
    return (
        f"    {option.name}\n        {option.meaning}\n"
        f"        Takes {kind.takes}. Default: {kind.show(option.default)}. Example: {option.name}={option.example}\n"
    )
