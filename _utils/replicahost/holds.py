"""Changes to a database that undo themselves unless somebody goes on: what is held, until when, and how it is undone.

A hold is a directory with an undo log and a deadline. It appears and goes as a whole, by a rename. Whoever works on it
holds its lock; each step sets the deadline anew. A timer of systemd, there as long as any hold is, undoes those whose
deadline has passed: after kill -9 of everything, and after a power cut too, because the timer is started at boot. When
nothing is held any more, its next run ends it.
"""

import contextlib
import os
import shutil
from pathlib import Path

from datamover.host import documents, flock
from datamover.host.lease import Deadline
from datamover.host.undo import UndoLog
from replicaplan.errors import NotesUnreadable, NothingToUndo, ReplicaRefused, RollbackIncomplete
from replicaplan.lease import checked

from . import notes, timer, undoing

INSTALLATION, PAUSE = NAMES = ("installation", "pause")


class Hold:
    """One set of changes that belong together, by its directory."""

    def __init__(self, path):
        self.path = Path(path)
        self.undo = UndoLog(self.path / "undo.log")

    @property
    def name(self):
        return self.path.name

    @property
    def document(self):
        """What was noted of it. Without that it is overdue, so a damaged note is not moved away to be forgotten."""
        remedy = f"mend it, or move it away: then this {self.name} is taken back within seconds."
        return notes.load(self.path / "hold.json", remedy) or {}

    def note(self, **more):
        """Add to what is noted of it, durably."""
        notes.save(self.path / "hold.json", {**self.document, **more})

    def renew(self, lease=None):
        """Let its lease begin anew; a new length of it is remembered."""
        seconds = lease or self.document["lease"]
        self.note(lease=seconds, deadline=_in(seconds))

    @property
    def overdue(self):
        """Whether it has to be taken back: nobody went on with it, or that was begun and did not come to its end."""
        known = self.document.get("deadline")
        return self._half_undone or not known or Deadline(*known).passed

    @property
    def _half_undone(self):
        return bool(self.document.get("undoing"))

    @contextlib.contextmanager
    def working(self, lease=None):
        """Hold its lock and keep its lease; what fails inside takes all of it back."""
        with self._whole():
            self.renew(lease)
            try:
                yield self
            except BaseException as error:
                self._taken_back(error)
                raise
            self.renew()

    @contextlib.contextmanager
    def minding(self):
        """Hold its lock and keep its lease; what fails inside is no reason to take it back."""
        with self._whole():
            self.renew()
            try:
                yield self
            finally:
                self.renew()

    @contextlib.contextmanager
    def waiting(self, seconds):
        """Keep its lease while somebody waits so long, without its lock: who takes it back need not wait for that."""
        with self._whole():
            self.note(deadline=_in(max(seconds, self.document["lease"])))
        try:
            yield self
        finally:
            with contextlib.suppress(ReplicaRefused, NothingToUndo), self.minding():
                pass

    @contextlib.contextmanager
    def ending(self):
        """Hold its lock for the last step; what fails inside takes all of it back, otherwise it is over."""
        with self._whole():
            try:
                yield self
            except BaseException as error:
                self._taken_back(error)
                raise
            self.forget()

    def _taken_back(self, error):
        told, trouble = self._run_undo()
        added = [*told, *([f"Taking it back did not work wholly: {trouble}"] if trouble else [])]
        if added and hasattr(error, "text"):
            error.text = " ".join([error.text, *added])
            error.args = (error.text,)

    def take_back(self, only_overdue=False, without=()):
        """Undo everything and forget it; what is worth telling of that, in sentences.

        RollbackIncomplete if something could not be undone, unless it is among the kinds `without` which it may go.
        """
        with self._locked():
            if only_overdue and not self.overdue:  # somebody went on while we waited for the lock
                return []
            told, trouble = self._run_undo(without)
        if trouble:
            raise RollbackIncomplete(" ".join(["Not everything was taken back:", trouble, *told]))
        return told

    def _run_undo(self, without=()):
        self._note_if_there_is_room(undoing=True)
        told, trouble = undoing.newest_first(self.undo, without)
        if trouble:
            self._note_if_there_is_room(trouble=trouble)
        else:
            self.forget()
        return told, trouble

    def _note_if_there_is_room(self, **more):
        """A full disk must keep nothing from being undone."""
        with contextlib.suppress(OSError):
            self.note(**more)

    def forget(self):
        """It is done, or undone: all of it at once and for good, so that nobody finds a part and takes that back."""
        over = self.path.with_name(f".{self.name}.over")
        shutil.rmtree(over, ignore_errors=True)  # of one that was interrupted here
        os.rename(self.path, over)
        documents.flush_directory(self.path.parent)
        shutil.rmtree(over, ignore_errors=True)

    @contextlib.contextmanager
    def _whole(self):
        """Its lock, while all of it is there: nobody goes on with what is half undone."""
        with self._locked():
            if self._half_undone:
                why = self.document.get("trouble") or "that is not through yet."
                raise ReplicaRefused([f"The {self.name} of this host's database is being taken back: {why}"])
            yield

    @contextlib.contextmanager
    def _locked(self):
        held = flock.hold(self.path.with_suffix(".lock"))
        if held is None:
            raise ReplicaRefused([f"Somebody else works at the {self.name} of this host's database just now."])
        with held:
            if not self.path.is_dir():
                raise NothingToUndo(f"The {self.name} of this host's database is over: it was settled or taken back.")
            yield


def _in(seconds):
    """A deadline as a document keeps it."""
    deadline = Deadline.after(seconds)
    return [deadline.boot, deadline.at]


def directory(state_dir):
    """Where holds are."""
    return Path(state_dir) / "replica" / "holds"


def begin(state_dir, name, lease, **details):
    """A new hold; ReplicaRefused if there is one of this name."""
    lease = checked(lease)
    path = directory(state_dir) / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with timer.lock(path.parent):
        if path.exists():
            raise ReplicaRefused([f"This host has one {name} under way already: go on with it, or take it back."])
        timer.begin(path.parent)
        _appear(path, lease, details)
    return Hold(path)


def _appear(path, lease, details):
    """All of it at once: one without a deadline would count as one whose deadline has passed."""
    new = path.with_name(f".{path.name}.new")
    shutil.rmtree(new, ignore_errors=True)  # of one that was interrupted here
    new.mkdir(mode=0o700)
    Hold(new).note(**details)
    Hold(new).renew(lease)
    os.rename(new, path)
    documents.flush_directory(path.parent)


def find(state_dir, name):
    """The hold of this name; NothingToUndo if there is none."""
    found = under_way(state_dir, name)
    if found is None:
        raise NothingToUndo(f"This host has no {name} of a database under way.")
    return found


def under_way(state_dir, name):
    """The hold of this name; None if there is none."""
    path = directory(state_dir) / name
    return Hold(path) if name in NAMES and path.is_dir() else None


def all_of(place):
    """Every hold there is."""
    return [Hold(place / name) for name in NAMES if (place / name).is_dir()]


def take_back_overdue(place, say=lambda sentence: None):
    """Undo those whose lease is over and at which nobody works; returns sentences about what did not work."""
    troubles = []
    with timer.lock(Path(place)):
        begun = all_of(Path(place))  # none of them half made: who begins one has the lock
    for hold in begun:
        try:
            for sentence in hold.take_back(only_overdue=True) if hold.overdue else ():
                say(sentence)
        except (RollbackIncomplete, NotesUnreadable) as error:
            troubles.append(error.text)
        except (ReplicaRefused, NothingToUndo):  # somebody works at it, or it is over
            pass
    return [*troubles, *_end_timer(Path(place))]


def _end_timer(place):
    """Remove the timer when nothing is held any more; returns a sentence if that does not work now."""
    with timer.lock(place):
        return [] if all_of(place) else timer.remove(place)
