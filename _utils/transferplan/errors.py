"""Why a transfer is refused or given up: one class for each cause, with a code that never changes its meaning.

The text of an error is a sentence for the user. Its docstring says when it happens and what the user can do; the table
of errors in the docs is made from it. Codes lie between 10 and 39 or from 120 to 125, and are never reused. `retryable`
means: the same request may succeed when it is made again and nobody changed anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from .paths import printable

Result = TypeVar("Result")


@dataclass(frozen=True)
class Reason:
    """One cause among several, as data: what a refusal lists."""

    code: int
    name: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        return {"code": self.code, "name": self.name, "text": self.text}


@dataclass(frozen=True)
class Told:
    """An error as a minion tells it, whichever package it comes from."""

    code: int
    name: str
    text: str
    retryable: bool = False

    def reason(self, host: str) -> Reason:
        return Reason(self.code, printable(self.name), printable(f"{host}: {self.text}"))


class PlanError(Exception):
    """Base of everything this package raises; the text is the sentence shown to the user."""

    code: ClassVar[int]
    name: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(self, text: str, **evidence: Any):
        super().__init__(text)
        self.text = text
        self.evidence = evidence

    @classmethod
    def reason(cls, text: str) -> Reason:
        return Reason(cls.code, cls.name, printable(text))

    def as_reason(self) -> Reason:
        return self.reason(self.text)

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "name": self.name,
            "retryable": self.retryable,
            "text": self.text,
            "evidence": self.evidence,
        }


class Refused(PlanError):
    """The request cannot be carried out. Every reason is listed with its own code, and nothing was changed."""

    code, name = 10, "refused"

    def __init__(self, reasons: Iterable[Reason]):
        self.reasons = tuple(dict.fromkeys(reasons))
        super().__init__(
            "\n".join(reason.text for reason in self.reasons), reasons=[reason.as_dict() for reason in self.reasons]
        )


class Ledger:
    """Collects reasons while decisions go on, so that all of them are told at once."""

    def __init__(self) -> None:
        self.reasons: list[Reason] = []

    def add(self, reasons: Iterable[Reason]) -> None:
        self.reasons += reasons

    def attempt(self, decide: Callable[..., Result], *arguments: Any) -> Result | None:
        """What `decide` returns; None where it raised, and why is noted."""
        try:
            return decide(*arguments)
        except Refused as refused:
            self.add(refused.reasons)
        except PlanError as error:
            self.add([error.as_reason()])
        return None

    def settle(self) -> None:
        """Raise Refused if there is any reason."""
        if self.reasons:
            raise Refused(self.reasons)


class BadPlace(PlanError):
    """A source or destination is not of the form `MINION:/path`, or names a place that cannot be used. The text says
    how to write it.
    """

    code, name = 11, "bad-place"


class BadOption(PlanError):
    """An option is unknown, misplaced, of the wrong type or out of its range. The text says what is right."""

    code, name = 12, "bad-option"


class MinionSilent(PlanError):
    """A minion did not answer: it is unknown to the master, down, or too slow for `job_timeout`. Try `test.ping`."""

    code, name, retryable = 13, "minion-silent", True


class MinionTrouble(PlanError):
    """A minion answered that it could not find out what was asked, or lacks the module. Follow its own words."""

    code, name = 14, "minion-trouble"


class VersionMismatch(PlanError):
    """A minion has another version of salt-transfer than the master. Run `saltutil.sync_all` there, or upgrade."""

    code, name = 15, "version-mismatch"


class UnfitHost(PlanError):
    """A minion cannot take part: it does not run as root, or its Python is too old."""

    code, name = 16, "unfit-host"


class SourceMissing(PlanError):
    """The source does not exist, or is neither a file nor a directory. Check the path; name what a link points to."""

    code, name = 17, "source-missing"


class SourceUnreadable(PlanError):
    """The source, or something in it, cannot be read. The first few are named; repair or remove them."""

    code, name = 18, "source-unreadable"


class SpecialEntries(PlanError):
    """The source holds entries that travel only when asked for. Give the option `special` that the text suggests."""

    code, name = 19, "special-entries"


class PolicyForbids(PlanError):
    """A minion's own policy (`transfer: policy:` of its configuration, or `pinhole.forbid`) forbids the transfer. Only
    that minion can permit it: by its configuration, or by `pinhole.lift`.
    """

    code, name = 20, "policy-forbids"


class DestinationExists(PlanError):
    """Something stands at the final name already. Add a slash to copy into it, choose another name, or give
    `overwrite=True`.
    """

    code, name = 21, "destination-exists"


class DestinationParent(PlanError):
    """The directory that shall hold the final name does not exist. Create it first."""

    code, name = 22, "destination-parent"


class DestinationUnusable(PlanError):
    """The place of the destination cannot be written, or its file system cannot publish by rename. Choose another."""

    code, name = 23, "destination-unusable"


class MountPoint(PlanError):
    """The final name is a mount point, which no rename can replace. Add a slash to copy into it."""

    code, name = 24, "mount-point"


class PlacesOverlap(PlanError):
    """Source and destination are the same place, or one lies inside the other. Choose another destination."""

    code, name = 25, "places-overlap"


class PlaceLocked(PlanError):
    """Another transfer writes to the destination. Wait for it, or cancel it."""

    code, name, retryable = 26, "place-locked", True


class NameTooLong(PlanError):
    """A path or one of its names is longer than file systems take. Choose a shorter one."""

    code, name = 27, "name-too-long"


class NoSpace(PlanError):
    """The destination has too little space or too few inodes for the source and the reserve. Free as much as the text
    says, lower `reserve`, or choose another place.
    """

    code, name = 28, "no-space"


class NoDigest(PlanError):
    """The digest that was asked for is not available on every host. Leave out `digest`, or install it."""

    code, name = 29, "no-digest"


class FirewallUnknown(PlanError):
    """Whether and how the destination's firewall must be opened could not be found out. Repair what the text names, or
    open the port yourself and give `firewall=none`.
    """

    code, name = 30, "firewall-unknown"


class FirewallUnsupported(PlanError):
    """The destination's firewall is managed by something this version cannot open, or by another backend than the one
    asked for. Open the port yourself and give `firewall=none`, or leave out `firewall`.
    """

    code, name = 31, "firewall-unsupported"


class NoPort(PlanError):
    """No port to listen on is free at the destination. Give others with `port` or `ports`."""

    code, name, retryable = 32, "no-port", True


class NoAddress(PlanError):
    """Source and destination have no pair of addresses over which they could talk. Check `network`."""

    code, name = 33, "no-address"


class StatementMismatch(PlanError):
    """A minion's statement is not signed with its key, or answers another question than was asked. If the text does not
    explain it, somebody may be forging answers.
    """

    code, name = 34, "statement-mismatch"


class BadAnswer(PlanError):
    """A minion's answer is not of the agreed form, or too large. If both have the same version, report it."""

    code, name = 35, "bad-answer"


class NeverBegan(PlanError):
    """The transfer was given up before any byte moved, and a host could not be told. What was prepared there undoes
    itself within one lease.
    """

    code, name, retryable = 36, "never-began", True


class OutOfSight(PlanError):
    """The transfer may still be running, but the runner no longer sees it. Ask `transfer.status`."""

    code, name, retryable = 37, "out-of-sight", True


class WorkerGone(PlanError):
    """A worker ended without a verdict: it was killed or its host rebooted. Run `transfer.sweep`, then try again."""

    code, name, retryable = 38, "worker-gone", True


class Unproved(PlanError):
    """Both ends report success, but what they state does not prove that they hold the same. Compare the two yourself,
    and report it.
    """

    code, name = 39, "unproved"


class NoCodec(PlanError):
    """The codec that was asked for is not available on every host. Leave out `compress`, or install it."""

    code, name = 120, "no-codec"


class NotResumable(PlanError):
    """There is nothing to go on with: the transfer is complete, was cancelled, one of its ends has no record of it, or
    what `source=` names has more than was sent. Copy anew; where an end is only silent, bring it back and resume.
    """

    code, name = 122, "not-resumable"


class AlreadyRunning(PlanError):
    """The transfer runs. `transfer.attach` follows it, `transfer.cancel` ends it."""

    code, name, retryable = 123, "already-running", True


class TooManyTransfers(PlanError):
    """A minion takes part in as many transfers as its `max_transfers` allows. Wait for one of those that the text
    names (`wait=1h` does so), or raise the limit in that minion's own configuration.
    """

    code, name, retryable = 124, "too-many-transfers", True


class DeletionLimit(PlanError):
    """`delete=True` would remove more than `delete_limit` permits. Look at the source, then raise the limit."""

    code, name = 125, "deletion-limit"


class MountsBelow(PlanError):
    """`delete=True`, and other file systems are mounted below the source: they do not travel, so what the destination
    has in their place would count as surplus. Leave them out with `exclude`, or do without `delete=True`.
    """

    code, name = 126, "mounts-below"


ERRORS: tuple[type[PlanError], ...] = tuple(PlanError.__subclasses__())
