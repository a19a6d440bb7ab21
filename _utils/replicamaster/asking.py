"""Asking the databases of minions, and believing only what they have signed."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

import saltface
from replicaplan.errors import ReplicaError, ReplicationLate
from transfermaster.asking import believe
from transferplan.request import Member

log = logging.getLogger(__name__)

PATIENCE = 5.0
SHORT, LONG = 180.0, 7 * 86400.0


class HostSaid(ReplicaError):
    """A host answered with an error of its own, which is passed on with its name."""

    def __init__(self, host: str, error: Mapping[str, Any]):
        super().__init__(f"{host}: {error.get('text', 'it said no more')}", **(error.get("evidence") or {}))
        self.told = {**error, "text": self.text}

    def as_dict(self) -> dict[str, Any]:
        return dict(self.told)


class HostSilent(HostSaid):
    """A host gave no answer that counts: it may have done what was asked, or be doing it still."""


class Hosts:
    """The databases of minions, asked by the functions of the module `replica`."""

    def __init__(self, opts: Mapping[str, Any]):
        self._opts = opts

    def ask(self, host: str, function: str, timeout: float = SHORT, /, **arguments: Any) -> Any:
        """What one host answered; HostSaid if that is an error, HostSilent if it said nothing."""
        (answer,) = self._answers({function: {host: arguments}}, timeout).values()
        return _payload(answer)

    def ask_all(
        self, hosts: Iterable[str], function: str, timeout: float = SHORT, /, **arguments: Any
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """({host: answer}, {host: why there is none}), asked at the same time."""
        told, failed = self.tell_each(dict.fromkeys(hosts, arguments), function, timeout)
        return told, {host: error.text for host, error in failed.items()}

    def ask_each(
        self, arguments: Mapping[str, Mapping[str, Any]], function: str, timeout: float = SHORT
    ) -> dict[str, Any]:
        """{host: answer}, each asked with arguments of its own at the same time; the first error is raised."""
        told, failed = self.tell_each(arguments, function, timeout)
        for error in failed.values():
            raise error
        return told

    def tell_each(
        self, arguments: Mapping[str, Mapping[str, Any]], function: str, timeout: float = SHORT
    ) -> tuple[dict[str, Any], dict[str, HostSaid]]:
        """({host: answer}, {host: its error}), each asked with arguments of its own at the same time."""
        told, failed = self.tell_at_once({function: arguments}, timeout)
        return told[function], failed[function]

    def tell_at_once(
        self, asked: Mapping[str, Mapping[str, Mapping[str, Any]]], timeout: float = SHORT
    ) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, HostSaid]]]:
        """The same for several functions, each of hosts of its own: ({function: {host: answer}}, likewise errors)."""
        told: dict[str, dict[str, Any]] = {function: {} for function in asked}
        failed: dict[str, dict[str, HostSaid]] = {function: {} for function in asked}
        for (function, host), answer in self._answers(asked, timeout).items():
            try:
                told[function][host] = _payload(answer)
            except HostSaid as error:
                failed[function][host] = error
        return told, failed

    def _answers(
        self, asked: Mapping[str, Mapping[str, Mapping[str, Any]]], timeout: float
    ) -> Mapping[Any, saltface.Answer]:
        questions: dict[Hashable, saltface.Question] = {
            (function, host): self._question(host, function, own, timeout)
            for function, arguments in asked.items()
            for host, own in arguments.items()
        }
        with saltface.Fleet(self._opts) as fleet:
            return fleet.ask(questions)

    def _question(self, host: str, function: str, arguments: Mapping[str, Any], timeout: float) -> saltface.Question:
        believed = believe(self._opts, Member(host, ""))
        return saltface.Question(host, f"replica.{function}", arguments, believed, timeout, PATIENCE)


@contextlib.contextmanager
def renewing(hosts: Hosts, host: str, what: str, lease: float) -> Iterator[None]:
    """Let what is held on a host not lapse while something long is done elsewhere. If this process dies, it does."""
    over = threading.Event()
    keeper = threading.Thread(target=_renew, args=(hosts, host, what, lease / 4, over), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join(PATIENCE)  # whoever interrupts this does not wait for a host that is silent


def _renew(hosts: Hosts, host: str, what: str, pause: float, over: threading.Event) -> None:
    """Until it is over; a host that is busy or silent is asked again, for it may hear in time."""
    while not over.wait(pause):
        try:
            hosts.ask(host, "renew", max(pause, PATIENCE), what=what)
        except ReplicaError as error:
            log.info("the %s of %s was not renewed this time: %s", what, host, error.text)
        except Exception:  # what nobody foresaw must not end it silently either
            log.exception("the %s of %s was not renewed this time", what, host)


def wait_in_parts(hosts: Hosts, host: str, timeout: float, part: float, **what: Any) -> Any:
    """Let a replica wait, in parts: if this process dies, what is held there is held on for one part at most."""
    deadline = time.monotonic() + timeout
    while True:
        seconds = min(part, max(deadline - time.monotonic(), 0.0))
        try:
            return hosts.ask(host, "wait", seconds + SHORT, timeout=seconds, **what)
        except HostSaid as error:
            if error.told.get("name") != ReplicationLate.name:
                raise
            if time.monotonic() >= deadline:
                raise ReplicationLate(f"After {timeout:g} s in all: {error.text}") from error


def _payload(answer: saltface.Answer) -> Any:
    if answer.trouble:
        raise HostSilent(answer.host, answer.trouble.as_reason().as_dict())
    if isinstance(answer.payload, Mapping) and isinstance(answer.payload.get("error"), Mapping):
        raise HostSaid(answer.host, answer.payload["error"])
    return answer.payload
