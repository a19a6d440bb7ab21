"""Everything that can go wrong while bytes are moved: one class for each reason, with a stable name and code.

The text of an error is a sentence for the user: host, path, numbers, what to do. Its docstring says when it happens
and what the user can do; the table of errors in the docs is made from it. Codes are exit statuses of a worker:
between 60 and 119, never reused. `retryable` means: the same transfer may succeed when it is tried again and nobody
changed anything.

To add an error, append a class above ERRORS with the next free code.
"""

from urllib.parse import quote

_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def shown(path):
    """A file name or path in a sentence: printable ASCII stays, every other byte and the percent sign become %XX."""
    return quote(path, safe=_PRINTABLE)


class MoverError(Exception):
    """Any error of this package; never raised itself."""

    code = 0
    name = ""
    retryable = False

    def __init__(self, text, **evidence):
        super().__init__(text)
        self.text = text
        self.evidence = evidence

    def as_dict(self):
        """What travels in status, verdict and return; evidence in bytes is shown as a path is."""
        evidence = {key: shown(value) if isinstance(value, bytes) else value for key, value in self.evidence.items()}
        return {
            "code": self.code,
            "name": self.name,
            "retryable": self.retryable,
            "text": self.text,
            "evidence": evidence,
        }


# Between the two ends: what one of them may not say, or may not be.


class ProtocolError(MoverError):
    """The other host sent what the wire does not allow. Check that both run the same version, else report it."""

    code = 60
    name = "protocol-error"


class LocalError(MoverError):
    """This program broke its own rules; nothing of what it did is trusted. Report it with the log of the run."""

    code = 61
    name = "internal-error"


class VersionMismatch(MoverError):
    """The two hosts run different versions of the project. Run `saltutil.sync_all` (or upgrade the package) on both."""

    code = 62
    name = "version-mismatch"


class WrongTransfer(MoverError):
    """The other host is here for another transfer or attempt, left over from a run. Sweep it, then try again."""

    code = 63
    name = "wrong-transfer"
    retryable = True


class RosterMismatch(MoverError):
    """The two hosts were armed with different rosters. Start the transfer again; both must hear the same master."""

    code = 64
    name = "roster-mismatch"


class FrameTooLarge(ProtocolError):
    """The other host announced a frame beyond its bound; nothing of it was read. As for protocol-error."""

    code = 65
    name = "frame-too-large"


class ManifestInvalid(MoverError):
    """An entry of the tree cannot be what it says, or is too large to travel. The text names it and says why."""

    code = 66
    name = "manifest-invalid"


class SpecMismatch(MoverError):
    """The run exists already with another specification. Use a new transfer, or repeat the first request unchanged."""

    code = 67
    name = "spec-mismatch"


class PolicyRefused(MoverError):
    """This minion's own configuration forbids the path, peer or kind. Change `transfer:policy` there, or ask less."""

    code = 68
    name = "policy-refused"


class Busy(MoverError):
    """Another transfer holds this place, one above or one below it. Wait for it, or cancel it; the text names it."""

    code = 69
    name = "busy"
    retryable = True


# The source's files.


class SourceChanged(MoverError):
    """A file changed while it was read, again and again. Stop what writes to it, or copy a snapshot."""

    code = 70
    name = "source-changed"
    retryable = True


class SourceVanished(MoverError):
    """A file or the whole source was removed while it was read. Stop what removes it, then try again."""

    code = 71
    name = "source-vanished"
    retryable = True


class SourceUnreadable(MoverError):
    """A file of the source cannot be opened or read. The text says why; repair or exclude it."""

    code = 72
    name = "source-unreadable"


class SpecialRefused(MoverError):
    """The source holds setuid files, capabilities, FIFOs or devices that were not allowed. Name them in `special`."""

    code = 73
    name = "special-refused"


# The destination's place and disk.


class DestinationExists(MoverError):
    """Something is already under the final name. Choose another, remove it, or ask for `overwrite=True`."""

    code = 74
    name = "destination-exists"


class NoSpace(MoverError):
    """The destination's file system has no room above the reserve. Make room or lower the reserve, then try again."""

    code = 75
    name = "no-space"


class NoInodes(MoverError):
    """The destination's file system has no inodes above the reserve. Remove files there, then try again."""

    code = 76
    name = "no-inodes"


class DiskError(MoverError):
    """The kernel refused to read, write or flush. Look at that host's kernel log and disk before trying again."""

    code = 77
    name = "disk-error"


class MetadataMismatch(MoverError):
    """Owner, mode, times or attributes did not become the source's. The text lists what the disk would not hold."""

    code = 78
    name = "metadata-mismatch"


class DigestMismatch(MoverError):
    """What is on the disk, or arrived, is not what the source read. Try again; suspect memory or disk there."""

    code = 79
    name = "digest-mismatch"
    retryable = True


class SealInvalid(MoverError):
    """The source's signature does not fit what arrived, so nothing was published. Try again; report a repetition."""

    code = 80
    name = "seal-invalid"


class PublishFailed(MoverError):
    """The verified data could not be given its final name. It stays in staging; the text says what stood in the way."""

    code = 81
    name = "publish-failed"


class DestinationChanged(MoverError):
    """With `update=True`: what stands at the destination changed while it was compared. Stop what writes there."""

    code = 82
    name = "destination-changed"
    retryable = True


class KindClash(MoverError):
    """With `update=True`: a file stands where a directory is to be, or the like. Remove it, or add `overwrite=True`."""

    code = 83
    name = "kind-clash"


class DeletionRefused(MoverError):
    """With `delete=True`: too much would go (`delete_limit`), or the source lacks what is mounted in it. Look there."""

    code = 84
    name = "deletion-refused"


# Peers, network and time.


class PeerFailed(MoverError):
    """The other host gave up and said why; the text carries its words. Follow those."""

    code = 90
    name = "peer-failed"

    def __init__(self, text, retryable=False, **evidence):
        super().__init__(text, **evidence)
        self.retryable = retryable


class PeerUnreachable(MoverError):
    """No connection to the other host's port. Look at the firewalls on the way and at the addresses in the plan."""

    code = 91
    name = "peer-unreachable"
    retryable = True


class ConnectionLost(MoverError):
    """A connection broke before its end was told. Try again; look at the other host's verdict and the network."""

    code = 92
    name = "connection-lost"
    retryable = True


class HandshakeRefused(MoverError):
    """TLS failed: the other end is not who the roster says, or thinks so of us. See what stands between the hosts."""

    code = 93
    name = "handshake-refused"


class NotAPeer(MoverError):
    """Somebody connected who is not in the roster, or claims another member's place. Find out who uses that address."""

    code = 94
    name = "not-a-peer"


class PortUnavailable(MoverError):
    """No port could be bound: the one asked for, or all of the range, are taken. See `portfinder`, or widen `ports`."""

    code = 95
    name = "port-unavailable"
    retryable = True


class Stalled(MoverError):
    """Nothing moved for the stall timeout. Look at disks and links of both hosts, or raise `stall_timeout`."""

    code = 96
    name = "stalled"
    retryable = True


class Cancelled(MoverError):
    """Somebody asked for `transfer.cancel`. Nothing is wrong."""

    code = 97
    name = "cancelled"


class NoGo(MoverError):
    """The worker was prepared and never heard that it may begin. The master was stopped or slow; try again."""

    code = 98
    name = "no-go"
    retryable = True


class LeaseExpired(MoverError):
    """The worker could not renew its lease in time: the host slept or was overloaded. Port and pinhole closed."""

    code = 99
    name = "lease-expired"
    retryable = True


# The worker and its run directory.


class WorkerDied(MoverError):
    """The worker was killed or its host went down; what it had opened was closed. Try again."""

    code = 100
    name = "worker-died"
    retryable = True


class StartFailed(MoverError):
    """The worker could not be started on this minion. The text carries its last words."""

    code = 101
    name = "start-failed"


class UnknownTransfer(MoverError):
    """This host has no run directory of that transfer: it took no part, or `keep_runs` removed the record."""

    code = 102
    name = "unknown-transfer"


class SpecInvalid(MoverError):
    """The specification of a transfer is not of the agreed form. Run the same version on master and minions."""

    code = 103
    name = "spec-invalid"


class OutOfTurn(MoverError):
    """A worker was told something that does not fit its phase, such as `go` before `arm`. The text says where it is."""

    code = 104
    name = "out-of-turn"


class CopyDiffers(MoverError):
    """What a transfer brought was read again and is no longer what was proved then. The result tells what differs."""

    code = 109
    name = "copy-differs"


class ProducerFailed(MoverError):
    """What made the stream at the source (a backup tool, say) failed. The text carries its last words; follow those."""

    code = 110
    name = "producer-failed"


class ConsumerFailed(MoverError):
    """What took the stream at the destination failed, or what it made is not what was sent. The text says what."""

    code = 111
    name = "consumer-failed"


class ArchiveRefused(MoverError):
    """An archive holds what must not be unpacked. The text names the member; look where the archive came from."""

    code = 112
    name = "archive-refused"


# In a chain of hosts.


class Superseded(MoverError):
    """A host of a chain is served by another one farther up by now. Nothing is wrong: who is told serves it no more."""

    code = 113
    name = "superseded"


class PredecessorLost(MoverError):
    """No host farther up in the chain came any more. What arrived is kept: resume it, from any host that finished."""

    code = 114
    name = "predecessor-lost"
    retryable = True


class LeftBehind(MoverError):
    """A host of a chain is so far behind that nobody keeps what it lacks. Resume it from a host that has finished."""

    code = 115
    name = "left-behind"


ERRORS = tuple(value for value in tuple(vars().values()) if isinstance(value, type) and getattr(value, "code", None))
"""Every error of this package, in the order of the codes."""
