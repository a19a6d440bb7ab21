"""The run directories below the state directory: the state of one end of a transfer, and afterwards its record.

One host can be both ends of a transfer, so a directory is named TRANSFER-ROLE.

    format          version of this layout
    spec.json       what was asked of this host; its digest tells a repeated request from another one
    place.json      where that really lay when this minion's policy was asked
    attempts/N/     answer.json (certificate, port), roster.json; of an earlier attempt all that tells of it
    code/           the copy of the program that the worker runs from; removed after its end
    lock            held by the live worker, or by who undoes after it; `preparing` by who starts or cancels it
    state.json      phase and progress; events.jsonl what happened, numbered; log for people
    undo.log        what must be undone; intent.json what is being published
    entries.db      the journal, from which `checksum.receipt` is made; verdict.json how it ended
    control         the live worker's socket
"""
import os
import re
import shutil
from pathlib import Path

from ..errors import Busy, DiskError, OutOfTurn, SpecMismatch, UnknownTransfer
from . import documents, flock
from .undo import UndoLog

FORMAT = 1
PATIENCE = 30.0
ROLES = ("source", "destination")
NAME = re.compile(r"([0-9a-f]{32})-(source|destination)")


def is_transfer(text):
    """Whether a text can be the id of a transfer."""
    return re.fullmatch("[0-9a-f]{32}", text) is not None


class RunDir:
    """The directory of one end of a transfer; it exists already."""

    def __init__(self, path):
        self.path = Path(path)
        self.transfer, self.role = NAME.fullmatch(self.path.name).groups()
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

    def check(self):
        """DiskError unless the record is there, whole and of the layout that this version knows."""
        try:
            layout = (self.path / "format").read_text().strip()
            if layout != str(FORMAT):
                raise ValueError(f"it is of format {layout[:20]}, this version knows {FORMAT}")
            if not self.spec:
                raise ValueError("it has no spec.json")
            self.read("verdict")
        except (OSError, ValueError) as error:
            text = f"the record {self.path} cannot be read: {error}; look at it, then remove it or try another version"
            raise DiskError(text, path=str(self.path)) from error

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

    def shed(self):
        """Remove what is of use to a live worker only: its program. The record stays."""
        shutil.rmtree(self.code, ignore_errors=True)

    def remove(self):
        """Remove the directory, whose lock the caller holds. It leaves the list at once, whatever happens after."""
        doomed = self.path.with_name(f".removed-{self.path.name}")
        os.rename(self.path, doomed)
        shutil.rmtree(doomed)


class RunDirs:
    """All run directories of this host."""

    def __init__(self, state_dir):
        self.state_dir = Path(state_dir)
        self._runs = self.state_dir / "runs"

    def establish(self, spec):
        """The run directory of this spec, made if it is not there, or that of an earlier attempt.

        Another spec for the same end is refused.
        """
        path = self._path(spec["transfer"], spec["role"])
        self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._creating():
            if not path.exists():
                self._create(path, spec)
        run = RunDir(path)
        run.check()
        self._refuse_another(run, spec)
        return run

    def _refuse_another(self, run, spec):
        known, asked = documents.digest(run.spec), documents.digest(spec)
        if known != asked and spec["attempt"] <= run.spec["attempt"]:
            raise SpecMismatch(
                f"transfer {run.transfer} exists on this host with another specification ({run.path}/spec.json)",
                existing=known, asked=asked,
            )

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

    def open(self, transfer, role=""):
        """The run directory of a transfer; the role is only needed where both ends are on this host."""
        paths = [self._path(transfer, each) for each in ([role] if role else ROLES)]
        found = [path for path in paths if path.is_dir()]
        if not found:
            raise UnknownTransfer(f"this host knows no transfer {transfer} (looked in {self._runs})", transfer=transfer)
        if len(found) > 1:
            raise OutOfTurn(f"both ends of transfer {transfer} are on this host: say role=source or role=destination")
        run = RunDir(found[0])
        run.check()
        return run

    def of(self, transfer):
        """The run directories of a transfer, readable or not; there may be none."""
        paths = (self._runs / f"{transfer}-{role}" for role in ROLES)
        return [RunDir(path) for path in paths if path.is_dir()]

    def all(self):
        """Every run directory that can be read, the newest first."""
        return self._look()[0]

    def unreadable(self):
        """Sentences about the others."""
        return self._look()[1]

    def _look(self):
        begun, troubles = [], []
        for run in (RunDir(path) for path in sorted(self._runs.glob("*")) if NAME.fullmatch(path.name)):
            try:
                run.check()
                begun.append((run.begun, run))
            except (DiskError, OSError) as error:
                if run.path.exists():  # else somebody just removed it
                    troubles.append(str(error))
        return [run for _, run in sorted(begun, key=lambda pair: -pair[0])], troubles

    def debris(self):
        """Directories that a crash left half made or half removed."""
        return sorted(self._runs.glob(".[ur]*"))

    def remove_debris(self, path):
        # Under the lock nobody is making a directory, so a half made one has no owner.
        with self._creating():
            shutil.rmtree(path, ignore_errors=True)

    def _path(self, transfer, role):
        # They become a file name, so they are checked before anything touches the disk.
        name = f"{transfer}-{role}"
        if not NAME.fullmatch(name):
            raise UnknownTransfer(f"{name!r} is no transfer id of 32 hexadecimal digits and a role")
        return self._runs / name
