"""Who writes where on this host, and how much room each has been promised. One short file, changed under a lock.

An entry is void when the lock of its run directory is free or another boot has begun. So nothing has to be cleaned up
for the register to tell the truth; dropping an entry is tidiness.

A place is told by identities, not by names, so that links and bind mounts cannot hide that two paths are one: the
chain of (device, inode, name) from the root to it, and its own (device, inode) if something stands there already.
"""
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ..disk.safepath import decode_path, encode_path
from ..errors import Busy, DiskError, NoInodes, NoSpace
from . import documents, flock, lease

FORMAT = 1
PATIENCE = 30.0


@dataclass(frozen=True)
class Place:
    """A path that shall be written: its steps from the root, each (device, inode, name), and its own identity.

    Names are in their JSON form.
    """

    path: str
    steps: tuple
    itself: tuple | None

    @classmethod
    def of(cls, path):
        """The place `path` (bytes); what holds it must exist."""
        parent, name = os.path.split(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
        if not os.path.isdir(parent):
            raise DiskError(f"{encode_path(parent)} is no directory on this host; make it first", path=parent)
        steps = [(*_identity(parent), encode_path(name))]
        while parent != b"/":
            parent, name = os.path.split(parent)
            steps.append((*_identity(parent), encode_path(name)))
        return cls(encode_path(path), tuple(reversed(steps)), _identity(path))

    @classmethod
    def from_document(cls, document):
        steps = tuple(tuple(step) for step in document["steps"])
        return cls(document["path"], steps, document["itself"] and tuple(document["itself"]))

    def overlaps(self, other):
        """Whether the two are one place or one lies within the other."""
        return self._within(other) or other._within(self)

    def _within(self, other):
        return other.steps[-1] in self.steps or (
            other.itself is not None and other.itself in {step[:2] for step in self.steps} | {self.itself}
        )


@dataclass(frozen=True)
class Need:
    """Room that a transfer asks for, and how much must stay free beside it."""

    bytes: int
    inodes: int
    reserve_bytes: int = 0
    reserve_inodes: int = 0


def _identity(path):
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino)


class Register:
    """The register of the state directory."""

    def __init__(self, state_dir):
        self.directory = Path(state_dir) / "register"
        self._file = self.directory / "register.json"

    def make(self):
        """Make its directory, if it is not there."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def claim(self, run, place, need):
        """Take `place` and set room aside for the transfer of `run`, whose lock the caller holds. All or nothing."""
        directory = os.path.dirname(decode_path(place.path))
        device = os.stat(directory).st_dev
        with self._locked():
            others = self._valid(without=run.transfer)
            _refuse_overlap(place, others)
            _refuse_want(need, os.statvfs(directory), place, [entry for entry in others if entry["device"] == device])
            self._save([*others, _entry(run, place, need, device)])

    def shrink(self, transfer, bytes_left, inodes_left, patience=PATIENCE):
        """What has landed takes real room now; only the rest stays set aside."""
        with self._locked(patience):
            entries = self._valid()
            for entry in entries:
                if entry["transfer"] == transfer:
                    entry.update(bytes=max(0, bytes_left), inodes=max(0, inodes_left))
            self._save(entries)

    def release(self, transfer):
        """Give everything of `transfer` back; void entries of others go too."""
        with self._locked():
            self._save(self._valid(without=transfer))

    def entries(self):
        """The entries that count."""
        return self._valid()

    def holder(self, place):
        """The transfer that holds this place, one above or one below it; None if nobody does."""
        overlapping = (entry for entry in self._valid() if place.overlaps(Place.from_document(entry["place"])))
        return next((entry["transfer"] for entry in overlapping), None)

    def promised(self, device):
        """(bytes, inodes) that are set aside on a device."""
        entries = [entry for entry in self._valid() if entry["device"] == device]
        return sum(entry["bytes"] for entry in entries), sum(entry["inodes"] for entry in entries)

    def void(self):
        """Transfers whose entries count no more and are still listed."""
        valid = {entry["transfer"] for entry in self._valid()}
        return [entry["transfer"] for entry in self._load() if entry["transfer"] not in valid]

    def _locked(self, patience=PATIENCE):
        self.make()
        held = flock.hold(self.directory / "lock", seconds=patience)
        if held is None:
            raise Busy(f"another process has held {self.directory}/lock for {patience} s")
        return held

    def _load(self):
        return (documents.load(self._file) or {"entries": []})["entries"]

    def _valid(self, without=None):
        boot = lease.boot_id()
        return [entry for entry in self._load() if entry["transfer"] != without and _counts(entry, boot)]

    def _save(self, entries):
        documents.save(self._file, {"format": FORMAT, "entries": entries})


def _counts(entry, boot):
    return entry["boot"] == boot and flock.is_held(os.path.join(entry["run"], "lock"))


def _entry(run, place, need, device):
    return {
        "transfer": run.transfer, "run": str(run.path), "boot": lease.boot_id(), "place": asdict(place),
        "device": device, "bytes": need.bytes, "inodes": need.inodes,
    }


def _refuse_overlap(place, others):
    for entry in others:
        theirs = Place.from_document(entry["place"])
        if place.overlaps(theirs):
            raise Busy(
                f"transfer {entry['transfer']} writes {theirs.path} on this host, which is, holds or lies in "
                f"{place.path}; wait for it or cancel it",
                transfer=entry["transfer"], path=theirs.path,
            )


def _refuse_want(need, status, place, others):
    free = status.f_bavail * status.f_frsize
    promised = sum(entry["bytes"] for entry in others)
    if need.bytes + need.reserve_bytes > free - promised:
        text = _want(place, "bytes", need.bytes, need.reserve_bytes, free, promised)
        raise NoSpace(text, free=free, promised=promised)
    promised = sum(entry["inodes"] for entry in others)
    # Some file systems (btrfs) count no inodes and say 0 of 0.
    if status.f_files and need.inodes + need.reserve_inodes > status.f_favail - promised:
        text = _want(place, "inodes", need.inodes, need.reserve_inodes, status.f_favail, promised)
        raise NoInodes(text, free=status.f_favail, promised=promised)


def _want(place, unit, wanted, reserve, free, promised):
    return (
        f"{place.path}: its file system has {free:,} {unit} free, of which {promised:,} are promised to other "
        f"transfers; this transfer needs {wanted:,} and {reserve:,} shall stay free"
    )
