"""Everything that can go wrong between this project and the tools of a host, one class for each reason.

The text of an error is a sentence for the user. Its docstring says when it happens and what the user can do;
the table of errors in the docs is made from it. Codes lie between 40 and 59 and are never reused.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HostToolError(Exception):
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


class CommandFailed(HostToolError):
    """A tool of the host ended with a status that nobody expected. The text carries its own words; follow those."""

    code, name = 40, "command-failed"


class UnreadableOutput(HostToolError):
    """A tool of the host printed what this version cannot read. Report it with the output that the text quotes."""

    code, name = 41, "unreadable-output"


class BadPinhole(HostToolError):
    """A pinhole was asked for with an address, port, lease or tag that cannot be one. The text says which."""

    code, name = 42, "bad-pinhole"


class BadPorts(HostToolError):
    """A port or range of ports is not of the form 4400 or 4400-4499, or lies outside 1 to 65535."""

    code, name = 43, "bad-ports"


class PinholeNotOpen(HostToolError):
    """The firewall took the order to open, but what it lists afterwards is no opening. See what else manages it."""

    code, name = 44, "pinhole-not-open"


class PinholeGone(HostToolError):
    """A pinhole that should be open is no longer in the firewall: something reloaded or flushed the rules."""

    code, name, retryable = 45, "pinhole-gone", True


class PinholeNotClosed(HostToolError):
    """The firewall still lists a pinhole after it was told to close. It admits nobody after its lease; remove the
    rule by hand if it stays.
    """

    code, name, retryable = 46, "pinhole-not-closed", True


class PinholeForbidden(HostToolError):
    """An administrator of this host forbade such an opening with `pinhole.forbid`. `pinhole.allowed` lists why."""

    code, name = 47, "pinhole-forbidden"


class ForbidUnreadable(HostToolError):
    """The file of forbidden pinholes cannot be read, so nothing is opened. Repair or remove the file the text names."""

    code, name = 48, "forbid-unreadable"


class UnknownBackend(HostToolError):
    """A firewall was named that this version cannot open. The text lists those it can."""

    code, name = 49, "unknown-firewall"


class FirewallUnreadable(HostToolError):
    """The firewall of the host cannot be listed. That is never taken for "no firewall"; the text says why."""

    code, name = 50, "firewall-unreadable"


class BadUnit(HostToolError):
    """A property of the worker's unit cannot be written in a form that systemd reads. The text quotes it."""

    code, name = 51, "bad-unit"


class DatabaseRefused(HostToolError):
    """A database server could not be reached or refused what it was asked. The text has its words and number."""

    code, name = 52, "database-refused"


ERRORS: tuple[type[HostToolError], ...] = tuple(HostToolError.__subclasses__())
