"""What is compared with what. A further comparison is one more row; it goes where its group's rows are.

A row alternates two sides on one load. The left side is ours; the right one is a peer, or ours set otherwise. Rows
whose option this version does not have, or whose program is not here, are left out with a word.
"""

from dataclasses import dataclass

from .network import UNSHAPED
from .ours import BLAKE3, ZSTD
from .peers import SAME_EFFORT

MEMORY, EXT4 = "tmpfs", "ext4"
STANDARD = "salt-transfer"
PLAIN = "salt-transfer, not encrypted"
BARE = "salt-transfer, sha256, zlib"

VARIANTS = {
    STANDARD: {},
    PLAIN: {"encrypt": False},
    BARE: {"digest": "sha256"},
    "salt-transfer, flight": {"verify": "flight"},
    "salt-transfer, sha256": {"digest": "sha256"},
    "salt-transfer, sha256, flight": {"digest": "sha256", "verify": "flight"},
    "salt-transfer, not compressed": {"compress": "none"},
    "salt-transfer, zstd": {"compress": "zstd"},
    "salt-transfer, zlib": {"compress": "zlib"},
    "salt-transfer, auto": {"compress": "auto"},
    "salt-transfer, 4 streams": {"streams": 4},
}
LACKING = {BARE: (BLAKE3, ZSTD)}
"""Modules that a variant has to do without: Salt's own packages bring neither."""


@dataclass(frozen=True)
class Bridge:
    """For a peer that is not here: another row's peer, and how many times faster the absent one was than that.

    The factor was measured side by side on one other machine; what comes of it is marked, and is no measurement.
    """

    peer: str
    factor: float


@dataclass(frozen=True)
class Row:
    """`amount` names how much is moved (see Scale); `goal` is the least ratio and the one to dream of."""

    group: str
    data: str
    amount: str
    ours: str
    theirs: str
    goal: tuple = ()
    link: str = UNSHAPED.name
    place: str = MEMORY
    quick: bool = False
    bridge: Bridge | None = None

    @property
    def key(self):
        where = [self.link] if self.link != UNSHAPED.name else []
        return " / ".join([self.group, self.data, *where, self.ours, self.theirs])


@dataclass(frozen=True)
class Scale:
    """How much is moved: bytes of one file, or a number of files. `for_slow` is for peers below 300 MB/s."""

    big: int = 1 << 30
    for_slow: int = 256 << 20
    slow_link: int = 64 << 20
    fast_link: int = 512 << 20
    long_way: int = 128 << 20
    many: int = 100_000
    some: int = 10_000
    software: int = 12_000
    little_software: int = 1_500
    lab: int = 512 << 20


QUICK = Scale(
    big=128 << 20,
    for_slow=24 << 20,
    slow_link=12 << 20,
    fast_link=96 << 20,
    long_way=24 << 20,
    many=5_000,
    some=1_000,
    software=1_500,
    little_software=400,
    lab=64 << 20,
)

BULK = {"data": "incompressible", "amount": "big"}
SLOW = {"data": "incompressible", "amount": "for_slow"}
EFFORT = f", {SAME_EFFORT} (blake3)"


def of_group(group, *rows, **common):
    """Rows that share what they are not told; a row is what it is against, and what is special about it."""
    return [Row(group=group, theirs=theirs, **{"ours": STANDARD, **common, **special}) for theirs, special in rows]


def one(theirs, goal=(), **special):
    return theirs, {"goal": goal, **special}


PLAIN_ROWS = of_group(
    "one file, plain",
    one("nc" + EFFORT, (0.9, 1.1), quick=True),
    one("socat" + EFFORT, (0.9, 1.1), quick=True),
    one("rsync daemon", (1.5, 2.0), quick=True),
    one("WDT none", (0.9, 1.1), bridge=Bridge("socat", 1.0)),
    one("nc"),
    one("socat", quick=True),
    one("cp"),
    **BULK,
    ours=PLAIN,
)
ENCRYPTED_ROWS = of_group(
    "one file, encrypted",
    one("socat TLS" + EFFORT, (1.0, 1.3), quick=True),
    one("rsync ssh", (4.0, 8.0), amount="for_slow", quick=True),
    one("socat TLS" + EFFORT, (1.0, 1.3), data="database"),
    one("rsync ssh", (4.0, 8.0), data="database", amount="for_slow"),
    one("WDT aes128gcm", (0.75, 1.0), bridge=Bridge("socat TLS", 1.34)),
    one("socat TLS", quick=True),
    one("scp", amount="for_slow"),
    one("ssh, aes128-gcm"),
    **BULK,
)
BARE_ROWS = of_group(
    "one file, Salt's Python alone",
    one("socat TLS" + f", {SAME_EFFORT} (sha256)", (1.0, 1.3)),
    one("rsync ssh", (4.0, 8.0), amount="for_slow"),
    **BULK,
    ours=BARE,
)
ANCESTOR_ROWS = of_group(
    "transferpy",
    one("transferpy, its defaults", (20, 35), quick=True),
    one("transferpy, its defaults", (6, 10), data="database", quick=True),
    one("transferpy, encryption only", (15, 25)),
    one("transferpy, nothing on", (2.5, 4), ours=PLAIN, amount="big", quick=True),
    one("transferpy, its defaults, a tree", (30, 70), data="small files", amount="some", quick=True),
    **SLOW,
)
SMALL_ROWS = of_group(
    "many small files",
    one("rsync daemon", (1.5, 2.0), ours=PLAIN, quick=True),
    one("tar, nc" + EFFORT, ours=PLAIN),
    one("tar, socat TLS" + EFFORT, quick=True),
    one("tar, socat TLS", quick=True),
    one("WDT aes128gcm"),
    one("tar, nc", ours=PLAIN, amount="some"),
    one("rsync ssh", amount="some"),
    one("cp", ours=PLAIN, amount="some"),
    data="small files",
    amount="many",
    place=EXT4,
)
MIXED_ROWS = of_group(
    "a mixed tree",
    one("tar, socat TLS" + EFFORT, quick=True),
    one("rsync daemon", ours=PLAIN),
    one("rsync ssh"),
    one("WDT aes128gcm", (1.0, 1.3), bridge=Bridge("tar, socat TLS", 0.9)),
    one("tar, socat TLS"),
    data="mixed tree",
    amount="software",
)
PROOF_ROWS = of_group(
    "what proof costs",
    one("salt-transfer, flight", quick=True),
    one("salt-transfer, sha256"),
    one("salt-transfer, sha256, flight"),
    one("transferpy, checksum after", ours=PLAIN),
    one("transferpy, checksum parallel", ours=PLAIN),
    one("transferpy, nothing on", ours=PLAIN),
    **BULK,
)
STREAM_ROWS = of_group(
    "several streams",
    one(STANDARD),
    one(STANDARD, data="small files", amount="some", place=EXT4),
    **BULK,
    ours="salt-transfer, 4 streams",
)
AUTO_GOAL = (0.9, 1.0)
"""As good as the best fixed choice, but for a tenth."""
LINK_AMOUNTS = {
    "100 Mbit/s": ("slow_link", "little_software"),
    "1 Gbit/s": ("fast_link", "software"),
    UNSHAPED.name: ("big", "software"),
}
"""Bytes of a file, and files of a tree."""
CODECS = (("not compressed", "zstd"), ("zlib",))
"""The one that is hardly ever the best comes last."""
COMPRESSION_ROWS = [
    row
    for codecs in CODECS
    for link, (size, files) in LINK_AMOUNTS.items()
    for data, amount in {"incompressible": size, "database": size, "mixed tree": files}.items()
    for row in of_group(
        "compression",
        *(one(f"salt-transfer, {codec}", AUTO_GOAL) for codec in codecs),
        data=data,
        amount=amount,
        ours="salt-transfer, auto",
        link=link,
    )
]
LONG_ROWS = of_group(
    "a long way",
    one("socat TLS", quick=True),
    one("rsync ssh"),
    one("tar, socat TLS", data="small files", amount="some"),
    one(STANDARD, ours="salt-transfer, 4 streams"),
    data="incompressible",
    amount="long_way",
    link="200 Mbit/s, 80 ms",
)
ROWS = (
    *ENCRYPTED_ROWS,
    *PLAIN_ROWS,
    *ANCESTOR_ROWS,
    *SMALL_ROWS,
    *MIXED_ROWS,
    *PROOF_ROWS,
    *LONG_ROWS,
    *STREAM_ROWS,
    *COMPRESSION_ROWS,
    *BARE_ROWS,
)


def by_importance(rows):
    """First what has a goal or leads to one, in case there is no time for all; last what is concluded from others."""
    counting = with_goals(rows)
    return sorted(rows, key=lambda row: (bool(row.bridge), row not in counting))


def with_goals(rows):
    """Those with a goal, and those from which one with a goal is concluded."""
    leading = {(row.group, row.bridge.peer) for row in rows if row.bridge}
    return [row for row in rows if row.goal or (row.group, row.theirs) in leading]


FULL = tuple(row for row in with_goals(ROWS) if row.amount == "big" and row not in COMPRESSION_ROWS)
"""Whose goals are meant for files of 4 GiB: fast peers. Those of compression are about which choice is best."""
