"""The run directories below the state directory: one per transfer, the worker's state and afterwards its record.

    format          version of this layout
    spec.json       what was asked of this host; its digest tells a repeated request from another one
    attempts/N/     answer.json (certificate, port), roster.json
    code/           the copy of the program that the worker runs from
    lock            held by the live worker, or by who undoes after it; `preparing` by who starts it
    state.json      phase and progress; events.jsonl what happened, numbered; log for people
    undo.log        what must be undone; intent.json what is being published
    entries.db      the journal; verdict.json how it ended
    control         the live worker's socket
"""
import os
import re
import shutil
from pathlib import Path

from . import documents, flock
from .errors import Busy, SpecMismatch, UnknownTransfer
from .undo import UndoLog

FORMAT = 1
PATIENCE = 30.0
TRANSFER_ID = re.compile(r"[0-9a-f]{32}")


class RunDir:
    """The directory of one transfer on this host; it exists already."""

    def __init__(self, path):
        self.path = Path(path)
        self.transfer = self.path.name
        self.lock = self.path / "lock"
        self.preparing = self.path / "preparing"
        self.code = self.path / "code"
        self.log = self.path / "log"
        self.undo = UndoLog(self.path / "undo.log")

    @property
    def spec(self):
        return self.read("spec")

    @property
    def verdict(self):
        return self.read("verdict")

    @property
    def alive(self):
        """Whether a worker, or somebody who undoes after one, is at work here."""
        return flock.is_held(self.lock)

    def read(self, name):
        """The document `name`.json; None if it was not written yet."""
        return documents.load(self.path / f"{name}.json")

    def write(self, name, document):
        documents.save(self.path / f"{name}.json", document)

    def attempt(self, number):
        """Name of the attempt's directory, for `read` and `write`."""
        return f"attempts/{number}"

    @property
    def begun(self):
        """When it was made, for sorting."""
        return (self.path / "spec.json").stat().st_mtime_ns

    def remove(self):
        """Remove the directory, whose lock the caller holds. It leaves the list at once, whatever happens after."""
        doomed = self.path.with_name(f".removed-{self.transfer}")
        os.rename(self.path, doomed)
        shutil.rmtree(doomed)


class RunDirs:
    """All run directories of this host."""

    def __init__(self, state_dir):
        self.state_dir = Path(state_dir)
        self._runs = self.state_dir / "runs"

    def establish(self, spec):
        """(run directory, whether it existed): the same spec finds its own directory, another one is refused."""
        path = self._path(spec["transfer"])
        self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._creating():
            existed = path.exists()
            if not existed:
                self._create(path, spec)
        run = RunDir(path)
        if documents.digest(run.spec) != documents.digest(spec):
            raise SpecMismatch(
                f"transfer {run.transfer} exists on this host with another specification ({path}/spec.json)",
                existing=documents.digest(run.spec), asked=documents.digest(spec),
            )
        return run, existed

    def _creating(self):
        held = flock.hold(self.state_dir / "creating", seconds=PATIENCE)
        if held is None:
            raise Busy(f"another process has held {self.state_dir}/creating for {PATIENCE} s")
        return held

    def _create(self, path, spec):
        # Made under another name and renamed, so that a run directory always has its spec.
        unborn = self._runs / ".unborn"
        shutil.rmtree(unborn, ignore_errors=True)
        (unborn / "attempts" / str(spec["attempt"])).mkdir(mode=0o700, parents=True)
        unborn.chmod(0o700)
        (unborn / "format").write_text(f"{FORMAT}\n")
        documents.save(unborn / "spec.json", spec)
        os.rename(unborn, path)
        documents.flush_directory(self._runs)

    def open(self, transfer):
        path = self._path(transfer)
        if not path.is_dir():
            raise UnknownTransfer(f"this host knows no transfer {transfer} (looked in {self._runs})", transfer=transfer)
        return RunDir(path)

    def all(self):
        """Every run directory, the newest first."""
        found = (RunDir(path) for path in self._runs.glob("*") if TRANSFER_ID.fullmatch(path.name))
        return sorted(found, key=lambda run: -run.begun)

    def debris(self):
        """Directories that a crash left half made or half removed."""
        return sorted(self._runs.glob(".[ur]*"))

    def _path(self, transfer):
        # The id becomes a file name, so it is checked before anything touches the disk.
        if not TRANSFER_ID.fullmatch(transfer):
            raise UnknownTransfer(f"{transfer!r} is no transfer id: 32 hexadecimal digits are expected")
        return self._runs / transfer

