"""Asking minions about transfers, and believing what they have signed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import saltface
from datamover.errors import UnknownTransfer
from transferplan import errors, report, statement
from transferplan import plan as planning
from transferplan.request import DESTINATION, SOURCE, Member

LOOK_TIMEOUT = 30.0
LOOK_PATIENCE = 3.0
END_TIMEOUT = 120.0
ANY_ATTEMPT = 0


def believe(opts: Mapping, member: Member, transfer: str = "", attempt: int = ANY_ATTEMPT) -> Callable[[str, Any], Any]:
    """How to tell what this member of this transfer really said: by its signature over our own question."""

    def believed(nonce: str, returned: Any) -> Any:
        signed = statement.Signed.from_return(returned, member.host)
        if not saltface.check(opts, member.host, signed.signed_bytes(), signed.signature):
            raise errors.StatementMismatch(
                f"an answer came in the name of {member.host} that its Salt key has not signed; "
                "is an older salt-transfer there, or does somebody forge?"
            )
        return statement.Question(member.host, nonce, transfer, attempt, member.role).payload_of(signed.statement)

    return believed


@dataclass(frozen=True)
class Told:
    """What came back: payloads by the keys of the questions, which are members unless said otherwise; who told nothing;
    and what went wrong with those who had to answer.
    """

    payloads: Mapping[Any, Any] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    reasons: tuple[errors.Reason, ...] = ()

    @property
    def by_host(self) -> dict[str, Any]:
        return {member.host: payload for member, payload in self.payloads.items()}


def ends(
    opts: Mapping,
    function: str,
    transfer: str,
    minions: Any,
    timeout: float,
    likely: list[str] | None = None,
    **arguments: Any,
) -> Told:
    """Ask both ends of a transfer, wherever they are: among those that are `likely`, if that is known."""
    refuse_no_transfer(transfer)
    asked = likely if minions is None and likely is not None else hosts(opts, minions)
    members = [Member(host, role) for host in asked for role in (SOURCE, DESTINATION)]
    return members_of(opts, function, transfer, members, timeout, everyone=minions is None, **arguments)


def members_of(
    opts: Mapping,
    function: str,
    transfer: str,
    members: Iterable[Member],
    timeout: float,
    everyone: bool = False,
    **arguments: Any,
) -> Told:
    """Ask these members of a transfer."""
    named = {"transfer": transfer, **arguments}
    questions = {each: _look(opts, each, function, {**named, "role": each.role}, timeout, transfer) for each in members}
    return ask(opts, questions, everyone)


def record_of(opts: Mapping, member: Member, transfer: str) -> saltface.Question:
    """The question for what one end has recorded."""
    return _look(opts, member, "record", {"transfer": transfer, "role": member.role}, LOOK_TIMEOUT, transfer)


def every_host(opts: Mapping, function: str, minions: Any, arguments: Mapping[str, Any], timeout: float) -> Told:
    """Ask minions about all that they know."""
    asked = questions(opts, function, hosts(opts, minions), arguments, timeout)
    return ask(opts, asked, everyone=minions is None)


def questions(
    opts: Mapping, function: str, hosts: Iterable[str], arguments: Mapping[str, Any], timeout: float
) -> dict[Member, saltface.Question]:
    """The same question for each of these hosts."""
    return of_each(opts, function, dict.fromkeys(hosts, arguments), timeout)


def of_each(
    opts: Mapping, function: str, arguments: Mapping[str, Mapping[str, Any]], timeout: float
) -> dict[Member, saltface.Question]:
    """A question for each host, with arguments of its own."""
    members = {Member(host, ""): each for host, each in arguments.items()}
    return {member: _look(opts, member, function, each, timeout) for member, each in members.items()}


def _look(
    opts: Mapping, member: Member, function: str, arguments: Mapping[str, Any], timeout: float, transfer: str = ""
) -> saltface.Question:
    believed = believe(opts, member, transfer)
    return saltface.Question(member.host, f"transfer.{function}", arguments, believed, timeout, LOOK_PATIENCE)


def ask(opts: Mapping, questions: Mapping[Any, saltface.Question], everyone: bool) -> Told:
    """All answers, by the keys of the questions. Who was not asked by name may have nothing to tell."""
    with saltface.Fleet(opts) as fleet:
        answers = fleet.ask(questions)
    payloads, silent, reasons = {}, set(), []
    for key, answer in answers.items():
        if answer.trouble:
            silent.add(answer.host)
            reasons += [] if everyone else [answer.trouble.as_reason()]
        elif reason := planning.error_in(Member(answer.host, ""), answer.payload):
            reasons += [reason] if reason.code != UnknownTransfer.code else []
        else:
            payloads[key] = answer.payload
    return Told(payloads, tuple(sorted(silent)), tuple(dict.fromkeys(reasons)))


def hosts(opts: Mapping, minions: Any) -> list[str]:
    """Whom to ask: those that are named, as a list or separated by commas, else every minion."""
    if minions is None:
        return saltface.everyone(opts)
    names = minions if isinstance(minions, list) else str(minions).split(",")
    return sorted({str(name).strip() for name in names} - {""})


def refuse_no_transfer(transfer: Any) -> None:
    if not re.fullmatch("[0-9a-f]{32}", str(transfer)):
        raise errors.Refused(
            [errors.BadOption.reason(f"{transfer!r} is no transfer: its id has 32 hex digits, see transfer.list")]
        )


def ending(result: str, reasons: Iterable[errors.Reason]) -> dict[str, Any]:
    """The part that every result of the runner has."""
    return {"result": result, "reasons": [each.as_dict() for each in reasons], "retcode": report.RETCODES[result]}


def concluded(body: Mapping[str, Any], reasons: Iterable[errors.Reason]) -> dict[str, Any]:
    """A result that is ok unless there are reasons against it."""
    found = tuple(reasons)
    return {**body, **ending("failed" if found else "ok", found)}
