"""The tools people use today, as the command lines they type. A further peer is one more entry.

A line is for bash, and names in braces are filled in:

    {address} {port}           where the destination listens
    {source} {parent} {name}   what is moved, the directory it is in, its name there
    {place} {target}           the destination's empty directory, and what is to appear in it
    {things}                   a directory with keys, certificates and configuration that both ends can read
    {sum}                      begins the names of files for digests; each end adds .sent or .got

"Same effort" is what comes nearest to our proof: a digest of the stream on each end, and the data flushed to the disk.
Nobody but us reads back what is there.
"""

from dataclasses import dataclass

from .ancestor import CHECKSUMS, Way

FILE, TREE = "file", "tree"
SAME_EFFORT = "same effort"


@dataclass(frozen=True)
class Peer:
    """A tool: what each end runs, what it does beside moving, and what it needs to be there."""

    name: str
    put: str
    get: str | None
    """None when there is one end only."""
    effort: str
    moves: tuple = (FILE,)
    serves: bool = False
    """Whether the destination's line waits for further work until it is told to end."""
    encrypts: bool = False
    digests: bool = False
    proves: bool = False
    """Whether what is on the disk in the end was read and compared."""
    sums: bool = False
    """Whether both ends leave the same digest in a file."""
    needs: tuple = ()
    apart: str = ""
    """What it also takes, and the clock does not show."""


@dataclass(frozen=True)
class Pipe:
    """What carries a stream from one host to another."""

    name: str
    effort: str
    put: str
    get: str
    needs: tuple
    encrypts: bool = False


SOCAT = "socat -u -b 262144"
_TLS = "cert={things}/pair.pem,cafile={things}/pair.pem,verify=1,openssl-min-proto-version=TLS1.3"
NC = Pipe("nc", "plain", "nc -N {address} {port}", "nc -l {address} {port}", ("nc",))
TCP = Pipe(
    "socat",
    "plain",
    f"{SOCAT} STDIN TCP:{{address}}:{{port}}",
    f"{SOCAT} TCP-LISTEN:{{port}},bind={{address}},reuseaddr STDOUT",
    ("socat",),
)
TLS = Pipe(
    "socat TLS",
    "TLS 1.3",
    f"{SOCAT} STDIN OPENSSL:{{address}}:{{port}},commonname=bench,{_TLS}",
    f"{SOCAT} OPENSSL-LISTEN:{{port}},bind={{address}},reuseaddr,{_TLS} STDOUT",
    ("socat", "openssl"),
    encrypts=True,
)
DIGESTS = {"blake3": "b3sum", "sha256": "openssl dgst -sha256"}


def of_pipe(pipe):
    """A pipe as people use it: alone for a file, with tar for a tree, and both with our effort."""
    tar, untar = "tar -C {parent} -cf - {name}", "tar -C {place} -xf -"
    traits = {"encrypts": pipe.encrypts, "needs": pipe.needs}
    yield Peer(pipe.name, f"{pipe.put} < {{source}}", f"{pipe.get} > {{target}}", pipe.effort, **traits)
    yield Peer(f"tar, {pipe.name}", f"{tar} | {pipe.put}", f"{pipe.get} | {untar}", pipe.effort, (TREE,), **traits)
    for digest, program in DIGESTS.items():
        traits["needs"] = (*pipe.needs, program.split()[0])
        effort = f"{pipe.effort}, {digest}, flushed"
        more = {"effort": effort, "digests": True, "sums": True, **traits}
        sent, got = (f"tee >({program} > {{sum}}.{end})" for end in ("sent", "got"))
        yield Peer(
            f"{pipe.name}, {SAME_EFFORT} ({digest})",
            f"{sent} < {{source}} | {pipe.put}",
            f"{pipe.get} | {got} > {{target}} && sync {{target}}",
            **more,
        )
        yield Peer(
            f"tar, {pipe.name}, {SAME_EFFORT} ({digest})",
            f"{tar} | {sent} | {pipe.put}",
            f"{pipe.get} | {got} | {untar} && sync -f {{place}}",
            moves=(TREE,),
            **more,
        )


def of_ancestor(name, way):
    """One way of transferpy, for a file and for a tree."""
    for kind, addition in ((FILE, ""), (TREE, ", a tree")):
        yield Peer(
            f"transferpy, {name}{addition}",
            way.put(kind == TREE),
            way.get(kind == TREE),
            way.words,
            moves=(kind,),
            encrypts=way.encrypt,
            digests=way.checksum != "none",
            proves=way.proves,
            sums=way.checksum == "parallel",
            needs=("nc", "openssl", "pigz"),
            apart="3 s of sleep",
        )


WAYS = {
    "its defaults": Way(),
    "encryption only": Way(compress=False, checksum="none"),
    "nothing on": Way(compress=False, encrypt=False, checksum="none"),
    **{f"checksum {each}": Way(compress=False, encrypt=False, checksum=each) for each in CHECKSUMS[:2]},
}

SSHD = "/usr/sbin/sshd -D -e -f {things}/sshd_config -o ListenAddress={address} -p {port}"
SSH = "ssh -F {things}/ssh_config -p {port}"
OVER_SSH = {"serves": True, "encrypts": True}
RSYNCD = "rsync --daemon --no-detach --config={things}/rsyncd.conf --address={address} --port={port}"
BOTH = (FILE, TREE)
FLUSHED = "&& sync -f {place}"
"""All at once, as with the other peers and with ours: `rsync --fsync` would do it for each of many small files. Both
ends are on one host, so the sender can ask for it.
"""
WDT = "wdt -start_port={port} -num_ports=4"


def of_wdt(encryption, effort):
    """WDT carries whole directories, so its ends are the directories around what is moved."""
    serve = f"{WDT} -directory={{place}} -hostname={{address}} -encryption_type={encryption} > {{sum}}.url"
    send = "until [ -s {sum}.url ]; do sleep 0.01; done; " + f"{WDT} -directory={{parent}} - < {{sum}}.url"
    return Peer(
        f"WDT {encryption}", send, serve, effort, BOTH, encrypts=encryption != "none", digests=True, needs=("wdt",)
    )


_ALL = (
    Peer("cp", "cp -a {source} {place}/", None, "one host, no network", BOTH),
    *(peer for pipe in (NC, TCP, TLS) for peer in of_pipe(pipe)),
    Peer(
        "rsync daemon",
        f"rsync -a {{source}} rsync://{{address}}:{{port}}/place/ {FLUSHED}",
        RSYNCD,
        "plain, its own digest, flushed",
        BOTH,
        serves=True,
        digests=True,
        needs=("rsync",),
    ),
    Peer(
        "rsync ssh",
        f"rsync -a -e '{SSH}' {{source}} {{address}}:{{place}}/ {FLUSHED}",
        SSHD,
        "ssh, its own digest, flushed",
        BOTH,
        digests=True,
        needs=("rsync", "ssh", "sshd"),
        **OVER_SSH,
    ),
    Peer(
        "scp",
        "scp -q -r -F {things}/ssh_config -P {port} {source} {address}:{place}/",
        SSHD,
        "ssh",
        BOTH,
        needs=("scp", "sshd"),
        **OVER_SSH,
    ),
    Peer(
        "ssh, aes128-gcm",
        f"{SSH} -c aes128-gcm@openssh.com {{address}} 'cat > {{target}}' < {{source}}",
        SSHD,
        "ssh with AES-GCM",
        needs=("ssh", "sshd"),
        **OVER_SSH,
    ),
    of_wdt("none", "plain, crc32c"),
    of_wdt("aes128gcm", "AES-GCM"),
    *(peer for name, way in WAYS.items() for peer in of_ancestor(name, way)),
)
PEERS = {peer.name: peer for peer in _ALL}
