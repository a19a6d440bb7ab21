"""type=xtrabackup: a hot backup of the donor's database as the source, its unpacking as the destination."""

import contextlib
import logging
import os
import shutil
import stat

from datamover.disk import kernel, safepath
from datamover.disk.trouble import on_disk
from datamover.errors import ArchiveRefused, ConsumerFailed, ProducerFailed, shown
from datamover.flow.places import FileSink
from datamover.flow.programs import ProgramSink, ProgramSource
from datamover.host import process
from hosttools import backups, donor, hotbackup, sql, xbstream
from hosttools.commands import drive
from hosttools.errors import HostToolError

from .login import NAME

ASKING = 60.0
SHOWN = 5
MOST_INFO = 256 * 1024
SCRATCH = "scratch"
PORTION = 64 * 1024 * 1024
"""After so many bytes what was unpacked begins to go to the disk."""

log = logging.getLogger(__name__)


class BackupSource:
    """The producer. If that is asked for, replication is held still from before the backup begins until it ended."""

    parent = None

    def __init__(self, run, spec):
        self._run = run
        self._asked = spec["stream"]
        self._access = str(run.path / NAME)
        self._scratch = run.path / SCRATCH
        socket = os.fsdecode(safepath.decode_path(spec["path"]))
        datadir = os.fsdecode(safepath.decode_path(self._asked["datadir"]))
        place = (self._access, socket, datadir, str(self._scratch))
        argv = hotbackup.stream(self._asked["tool"], *place, self._asked["parallel"], self._asked["slave_info"])
        self._program = ProgramSource(argv, str(run.path / "producer.said"), self._judge)
        self._held = None

    def begin(self, stop):
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        if self._asked["stop_replication"]:
            self._hold_replication()
        self._program.begin(stop)

    def read_into(self, view):
        return self._program.read_into(view)

    def finish(self):
        report = self._program.finish()
        self._let_replicate()
        return report

    def end(self):
        self._program.end()
        shutil.rmtree(self._scratch, ignore_errors=True)
        try:
            self._let_replicate()
        except HostToolError as error:  # the undo log has it, and why the backup failed must be told
            log.warning("replication does not go on yet: %s", error)

    def _judge(self, said):
        if not hotbackup.said_completed(said):
            tail = said[-500:].decode("utf-8", "backslashreplace").strip()
            raise ProducerFailed(f"{self._asked['tool']} ended well but did not say that it completed: {tail}")
        return {
            "tool": self._asked["tool"],
            "server_version": self._asked["server_version"],
            "coordinates": hotbackup.position(said),
        }

    # The donor's replication

    def _hold_replication(self):
        """Stop the SQL threads that run; how to start them again is on the disk before."""
        vendor = self._asked["vendor"]
        found = drive(donor.replication(call_of(self._run), vendor), _run) or []
        names = [each["name"] for each in found if each["sql_running"]]
        if names:
            self._held = self._run.undo.register("replication", vendor=vendor, names=names)
            drive(donor.stop_applying(call_of(self._run), vendor, names), _run)

    def _let_replicate(self):
        if self._held is not None:
            change = next(each for each in self._run.undo.pending() if each.seq == self._held)
            resume_replication(self._run, **change.details)
            self._run.undo.done(self._held)
            self._held = None


def resume_replication(run, vendor, names):
    """Start the SQL threads that were stopped for a backup; also called by whoever undoes after the worker."""
    drive(donor.start_applying(call_of(run), vendor, names), _run)


def call_of(run):
    """The client and the file with which it logs in."""
    return client(), str(run.path / NAME)


def client():
    path = process.ENVIRONMENT["PATH"]
    return next((name for name in sql.CLIENTS if shutil.which(name, path=path)), sql.CLIENTS[0])


def _run(command):
    return process.run(command, ASKING)


class Unpacked:
    """What the destination makes of the stream; `sink` is the consumer."""

    def __init__(self, run, spec):
        asked = spec["stream"]
        self._inventory = xbstream.Inventory()
        self._keep = asked["keep_stream"]
        self._unwritten = 0
        if self._keep:
            self.sink = FileSink(self._inspect_file, self._observe_file)
        else:
            argv = hotbackup.unpack(asked["unpacker"])
            said = str(run.path / "consumer.said")
            self.sink = ProgramSink(argv, said, self._inspect, self._observe)

    def _observe(self, place, view):
        self._look_at(view)
        self._unwritten += len(view)
        if self._unwritten >= PORTION:
            self._unwritten = 0
            start_writing(place, self._inventory.grown)
            self._inventory.grown.clear()

    def _observe_file(self, _file, view):
        self._look_at(view)

    def _look_at(self, view):
        """What the tool may not get is refused here, before it gets it: it would write wherever a name leads."""
        self._inventory.add(view)
        if self._inventory.refused:
            raise ArchiveRefused(f"{self._inventory.refused}; nothing of it is kept")
        if self._inventory.unknown and not self._keep:
            text = f"chunk {self._inventory.unknown} of the stream is unknown to this version, so nobody can tell"
            raise ArchiveRefused(f"{text} where it leads; keep_stream=True keeps the stream as a file")

    def _inspect_file(self, report, size):
        self._refuse_torn()
        return {**report, "kept_as": "stream", "bytes": size, "prepared": False, **self._counts()}

    def _inspect(self, place, report):
        self._refuse_torn()
        self._refuse_missing(place)
        found = info_of(place)
        return {**report, "kept_as": "directory", "prepared": False, **self._counts(), **found}

    def _counts(self):
        if self._inventory.unknown:
            return {"files": None, "unchecked": f"chunk {self._inventory.unknown} is unknown to this version"}
        return {"files": len(self._inventory.files)}

    def _refuse_torn(self):
        if self._inventory.ended_early or not (self._inventory.files or self._inventory.unknown):
            raise ConsumerFailed("the stream is no whole backup: it ends early, or holds nothing")

    def _refuse_missing(self, place):
        missing = xbstream.missing(self._inventory.files, sizes(place))
        if missing:
            named = ", ".join(map(shown, missing[:SHOWN]))
            raise ConsumerFailed(
                f"{len(missing)} of {len(self._inventory.files)} files are not there as the stream told them: {named}"
            )


def start_writing(place, names):
    """What the tool has written of these begins to go to the disk while more comes: in the end all is waited for."""
    for name in names:
        with contextlib.suppress(OSError):
            descriptor = os.open(name, safepath.OPEN_FILE, dir_fd=place)
            try:
                kernel.start_writing(descriptor, 0, kernel.TO_THE_END)
            finally:
                os.close(descriptor)


def sizes(place):
    """Lengths of all regular files below an open directory, by path; nothing is followed."""
    found = {}
    for top, _, names, directory in os.fwalk(b".", dir_fd=place, follow_symlinks=False):
        for name in names:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                found[os.path.normpath(os.path.join(top, name))] = status.st_size
    return found


def info_of(place):
    """What the backup tells of itself: its info file must be there and tell when it ended."""
    info = backups.pairs(_text(place, backups.INFO) or "")
    if not info.get("end_time"):
        raise ConsumerFailed(
            f"the backup has no {' or '.join(backups.INFO)} that tells when it ended, so it is not complete"
        )
    binlog = _text(place, backups.BINLOG)
    replica = _text(place, backups.REPLICA)
    return {
        "tool_version": info.get("tool_version", ""),
        "server_version": info.get("server_version", ""),
        "start_time": info.get("start_time", ""),
        "end_time": info["end_time"],
        "coordinates": backups.binlog(binlog).as_dict() if binlog else None,
        "upstream": backups.replica(replica).as_dict() if replica else None,
    }


def _text(place, names):
    """The text of the first of these files that is there; None if none is."""
    for name in names:
        try:
            descriptor = os.open(name, safepath.OPEN_FILE, dir_fd=place)
        except FileNotFoundError:
            continue
        with on_disk("read", name.encode()), open(descriptor, "rb") as file:
            return file.read(MOST_INFO).decode("utf-8", "replace")
    return None
