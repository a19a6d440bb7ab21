"""Everything that can go wrong with a database on a host or between two of them, one class for each reason.

The text of an error is a sentence for the user. Its docstring says when it happens and what the user can do; the table
of errors in the docs is made from it. Codes lie between 130 and 149 and are never reused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class ReplicaError(Exception):
    """Any error of this package; never raised itself."""

    code: ClassVar[int] = 0
    name: ClassVar[str] = ""
    retryable: ClassVar[bool] = False

    def __init__(self, text: str, **evidence: Any):
        super().__init__(text)
        self.text = text
        self.evidence = evidence

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "name": self.name,
            "retryable": self.retryable,
            "text": self.text,
            "evidence": self.evidence,
        }


class ReplicaRefused(ReplicaError):
    """Something stands in the way of what was asked of a database. Every reason is listed, and nothing was changed."""

    code, name = 130, "replica-refused"

    def __init__(self, reasons: Sequence[str], **evidence: Any):
        super().__init__(" ".join(reasons), reasons=list(reasons), **evidence)


class DatabaseSilent(ReplicaError):
    """The database server does not answer on its socket: it is down, starting, or elsewhere."""

    code, name, retryable = 131, "database-silent", True


class DatabaseRefuses(ReplicaError):
    """The database server refused to log us in or to carry out a statement. The text carries its own words."""

    code, name = 132, "database-refuses"


class NoDatabase(ReplicaError):
    """This host has no MariaDB or MySQL server, or no unit of systemd that runs it. The text says what is missing."""

    code, name = 133, "no-database"


class BackupUnfit(ReplicaError):
    """What should be a backup is none, is incomplete, or was not prepared. The text says what is missing."""

    code, name = 134, "backup-unfit"


class PrepareFailed(ReplicaError):
    """The backup tool could not make the backup consistent. The text has its last words; take a new backup."""

    code, name = 135, "prepare-failed"


class StartFailed(ReplicaError):
    """The server did not start on its new data. The old data was put back; the text has the server's last words."""

    code, name = 136, "server-not-started"


class ReplicationBroken(ReplicaError):
    """A replication thread does not run or stopped with an error, which the text quotes."""

    code, name = 137, "replication-broken"


class ReplicationLate(ReplicaError):
    """The replica did not reach a position, or a lag, within the time given. Give it longer, or look why."""

    code, name, retryable = 138, "replication-late", True


class NotProved(ReplicaError):
    """Replica and primary were compared and differ, or could not be compared. Every difference is named."""

    code, name = 139, "not-proved"


class NothingToUndo(ReplicaError):
    """There is no installation, or no pause, under way on this host that could be gone on with or taken back."""

    code, name = 140, "no-installation"


class RepairForbidden(ReplicaError):
    """A replica may not be repaired by itself now: a guard holds it back. Nothing was changed; the text says why."""

    code, name = 141, "repair-forbidden"


class RollbackIncomplete(ReplicaError):
    """An installation or a pause could not be taken back wholly. The text says what is left; it is tried again."""

    code, name, retryable = 142, "rollback-incomplete", True


class CopyFailed(ReplicaError):
    """The backup did not arrive at any replica; nothing was changed. The text has the reasons of the transfer."""

    code, name = 143, "backup-not-arrived"


class ServiceFailed(ReplicaError):
    """systemd did not do what was asked of a unit, or its server lived on after that was stopped, or its files were in
    use then. No new data was left in the place of the old; the text says which unit, and why.
    """

    code, name = 144, "service-failed"


class LedgerUnreadable(ReplicaError):
    """What was repaired before is not known, so nothing is repaired: the master's file of repairs is damaged, or of
    another version. The text names it and says what to do.
    """

    code, name = 145, "ledger-unreadable"


class NotesUnreadable(ReplicaError):
    """What a host has noted of an installation, a pause or a count is damaged, or of another version. Nothing was
    changed, and what is under way there is neither gone on with nor taken back; the text names the file and says what
    to do.
    """

    code, name = 146, "notes-unreadable"


ERRORS: tuple[type[ReplicaError], ...] = tuple(ReplicaError.__subclasses__())
