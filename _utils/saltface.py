"""Salt as this project sees it: keys to sign with, minions to ask, a bus to tell. The one file here that imports Salt.

The bus is a hint. Anyone may fire an event that looks like a return, so an answer counts when its `believe` accepts it,
and one that does not count never displaces one that does.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import salt.cache
import salt.client
import salt.exceptions
import salt.loader
import salt.runner
import salt.utils.jid
import salt.utils.minions
import salt.utils.user
import salt.utils.verify
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from transferplan import errors, nearest, paths, statement
from transferplan.options import MASTER, Layer

log = logging.getLogger(__name__)

NEVER = float("inf")
PROBE_PATIENCE = 10.0
"""As long as Salt itself waits by default (gather_job_timeout): a busy host takes seconds to begin a job."""
PROBE_AGAIN = 4.0
"""A minion that connects anew does not hear what was published meanwhile, a probe among it."""
SETTLE = 1.0
PUBLISH_TIMEOUT = 10
SHORTEST_WAIT = 0.01
AWAY_PAUSE = 0.2
LONGEST_EXCUSE = 300

_HASH = hashes.SHA256()
_PADDING = padding.PSS(padding.MGF1(_HASH), salt_length=_HASH.digest_size)


# --- keys ------------------------------------------------------------------------------------------------------------


def sign(opts: Mapping, data: bytes) -> str:
    """This minion's signature of the data, made with its Salt key."""
    with open(os.path.join(opts["pki_dir"], "minion.pem"), "rb") as file:
        # Salt made the key and checks it itself; to check it here too takes some 50 ms of CPU, and to sign takes one.
        key = serialization.load_pem_private_key(file.read(), password=None, unsafe_skip_rsa_key_validation=True)
    return base64.b64encode(key.sign(data, _PADDING, _HASH)).decode()


def check(opts: Mapping, minion: str, data: bytes, signature: str) -> bool:
    """Whether the minion whose key this master accepted has signed the data."""
    pem = accepted_key(opts, minion)
    if not pem:
        return False
    try:
        raw = base64.b64decode(signature, validate=True)
        serialization.load_pem_public_key(pem.encode()).verify(raw, data, _PADDING, _HASH)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def accepted_key(opts: Mapping, minion: str) -> str:
    """The accepted public key of a minion, read anew at each call; empty if there is none."""
    if not salt.utils.verify.valid_id(opts, minion):
        return ""
    return _cached_key(opts, minion) if "keys.cache_driver" in opts else _key_file(opts, minion)


def _cached_key(opts: Mapping, minion: str) -> str:
    """Salt 3008 and later keep keys behind a driver."""
    found = salt.cache.Cache(opts, driver=opts["keys.cache_driver"]).fetch("keys", minion) or {}
    return found.get("pub", "") if found.get("state") == "accepted" else ""


def _key_file(opts: Mapping, minion: str) -> str:
    pki = opts["cluster_pki_dir"] if opts.get("cluster_id") else opts["pki_dir"]
    try:
        with open(os.path.join(pki, "minions", minion), encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def everyone(opts: Mapping) -> list[str]:
    """The ids of all minions whose keys are accepted."""
    return sorted(salt.utils.minions.CkMinions(opts).check_minions("*", "glob")["minions"])


def meant(opts: Mapping, expression: str, kind: str) -> tuple[str, Any, list[str]]:
    """Whom a target expression means, as far as the master knows, and the type and expression to ask minions with.

    A nodegroup is what the master's configuration says it is. Names are decided here; of grains and pillars the master
    remembers what it was told last, if anything.
    """
    if kind == "nodegroup":
        groups = opts.get("nodegroups") or {}
        if expression not in groups:
            known = ", ".join(sorted(groups)) or "none"
            text = f"{ascii(expression)} is no nodegroup of this master, which has {known}"
            raise errors.Refused([errors.BadOption.reason(text)])
        kind, expression = "compound", salt.utils.minions.nodegroup_comp(expression, groups)
    found = salt.utils.minions.CkMinions(opts).check_minions(expression, kind, greedy=True)
    if found.get("missing"):
        missing = ", ".join(map(paths.printable, found["missing"]))
        raise errors.Refused([errors.MinionSilent.reason(f"{missing}: no minions whose keys this master has accepted")])
    return kind, expression, sorted(found["minions"])


# --- settings --------------------------------------------------------------------------------------------------------


def master_layers(opts: Mapping) -> list[Layer]:
    """The settings that the master's own configuration holds, below those of a command line."""
    return [(MASTER, opts.get("transfer"))]


# --- minions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """One function to be run on one minion. `believe(nonce, returned)` gives the payload or raises a PlanError."""

    host: str
    function: str
    arguments: Mapping[str, Any]
    believe: Callable[[str, Any], Any]
    timeout: float
    patience: float = 5.0


@dataclass(frozen=True)
class Answer:
    """What a minion said, or why there is nothing that can be believed."""

    host: str
    payload: Any = None
    trouble: errors.PlanError | None = None


@dataclass
class _Asked:
    """A question under way: when to ask whether it still runs, when to give up, and what to say then."""

    key: Hashable
    question: Question
    jid: str
    nonce: str
    deadline: float
    doubt_at: float
    end_at: float
    trouble: errors.PlanError
    disbelief: errors.PlanError | None = None
    probed: bool = False

    def expect_nothing_after(self, moment: float, trouble: errors.PlanError) -> None:
        self.trouble, self.end_at, self.doubt_at = trouble, min(self.deadline, moment), NEVER


class Inquiry:
    """The questions under way, without any I/O: returns and the time go in, answers and doubts come out."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], _Asked] = {}
        self._probes: dict[tuple[str, str], _Asked] = {}

    def __bool__(self) -> bool:
        return bool(self._asked)

    def begin(self, key: Hashable, question: Question, jid: str, nonce: str, now: float) -> None:
        deadline = now + question.timeout
        self._asked[jid, question.host] = _Asked(
            key, question, jid, nonce, deadline, now + question.patience, deadline, _slow(question)
        )

    def hopeless(self, jid: str, host: str, trouble: errors.PlanError, now: float) -> None:
        """The question did not even get out."""
        self._asked[jid, host].expect_nothing_after(now, trouble)

    def probe(self, asked: _Asked, jid: str, now: float) -> None:
        """The minion has been asked whether the job still runs: if it does not answer that either, it is silent."""
        self._probes[jid, asked.question.host] = asked
        if not asked.probed:
            asked.expect_nothing_after(now + PROBE_PATIENCE, _silent(asked.question))
        asked.probed, asked.doubt_at = True, now + PROBE_AGAIN

    def heard(self, jid: str, host: str, data: Mapping, now: float) -> Iterator[tuple[Hashable, Answer]]:
        """A return came, from whomever."""
        if asked := self._probes.pop((jid, host), None):
            self._judge_probe(asked, data.get("return"), now)
        elif asked := self._asked.get((jid, host)):
            yield from self._judge(asked, data, now)

    def _judge(self, asked: _Asked, data: Mapping, now: float) -> Iterator[tuple[Hashable, Answer]]:
        """What is not believed may be forged: only when the job has really ended it is all there will be."""
        try:
            payload = asked.question.believe(asked.nonce, _returned(asked.question, data))
        except errors.PlanError as disbelief:
            asked.doubt_at = asked.doubt_at if asked.disbelief else now
            asked.disbelief = disbelief
        else:
            yield self._end(asked, Answer(asked.question.host, payload))

    def _judge_probe(self, asked: _Asked, running: Any, now: float) -> None:
        asked.probed = False
        if running:
            asked.trouble, asked.end_at = _slow(asked.question), asked.deadline
            asked.doubt_at = now + asked.question.patience
        else:
            asked.expect_nothing_after(now + SETTLE, _lost(asked.question))

    def _end(self, asked: _Asked, answer: Answer) -> tuple[Hashable, Answer]:
        del self._asked[asked.jid, asked.question.host]
        return asked.key, answer

    def ended(self, now: float) -> Iterator[tuple[Hashable, Answer]]:
        """Those for which the time is up."""
        for asked in [each for each in self._asked.values() if each.end_at <= now]:
            yield self._end(asked, Answer(asked.question.host, trouble=asked.disbelief or asked.trouble))

    def doubted(self, now: float) -> list[_Asked]:
        """Those that should be probed now."""
        return [each for each in self._asked.values() if each.doubt_at <= now]

    def next_at(self) -> float:
        """When `ended` or `doubted` will have something, even if nothing is heard."""
        return min((min(each.end_at, each.doubt_at) for each in self._asked.values()), default=NEVER)


def _returned(question: Question, data: Mapping) -> Any:
    """What the function returned; what Salt says in its place is raised."""
    returned = data.get("return")
    if not isinstance(returned, str):
        return returned
    text = paths.printable(_gist(returned))[:LONGEST_EXCUSE]
    log.debug("%s returned from %s: %s", question.function, question.host, returned)
    if text.endswith("is not available."):
        raise errors.MinionTrouble(
            f"{question.host} does not know {question.function}: salt-transfer is missing there or too old. "
            f"Install it, for example by: salt {question.host} saltutil.sync_all"
        )
    raise errors.MinionTrouble(f"{question.host} could not run {question.function}: {text}")


def _gist(excuse: str) -> str:
    """The line that says most: the last one of a traceback, else the first."""
    lines = excuse.strip().splitlines() or ["it said nothing"]
    return lines[-1 if "Traceback" in excuse else 0].strip()


def unknown(host: str, names: Sequence[str]) -> errors.PlanError:
    """Why a host is not even asked; of the minions with these names it may be one that was mistyped."""
    advice = nearest.advice(host, names, "salt-key --list=accepted shows those that are")
    return errors.MinionSilent(f"{paths.printable(host)} is no minion whose key this master has accepted; {advice}")


def _silent(question: Question) -> errors.PlanError:
    return errors.MinionSilent(
        f"{question.host} does not answer, not even whether it runs {question.function}. "
        f"Is its salt-minion running? Try: salt {question.host} test.ping"
    )


def _slow(question: Question) -> errors.PlanError:
    return errors.MinionSilent(
        f"{question.host} has not finished {question.function} within {question.timeout:g} s; job_timeout allows more"
    )


def _lost(question: Question) -> errors.PlanError:
    return errors.MinionSilent(
        f"{question.host} no longer runs {question.function}, but its answer never came: was its salt-minion restarted?"
    )


def _unpublished(host: str, question: Question, why: Exception) -> errors.PlanError:
    said = str(why) or type(why).__name__
    return errors.MinionSilent(f"The master did not take the job {question.function} for {host}: {said}")


def jobs(questions: Mapping[Hashable, Question]) -> Iterable[dict[str, tuple[Hashable, Question]]]:
    """The questions as jobs: minions that are asked the same share one, and within a job each minion is asked once."""
    groups: dict[Hashable, dict[str, tuple[Hashable, Question]]] = defaultdict(dict)
    seen: Counter[Hashable] = Counter()
    for key, question in questions.items():
        same = question.function, statement.canonical(dict(question.arguments))
        groups[same, seen[same, question.host]][question.host] = key, question
        seen[same, question.host] += 1
    return groups.values()


def _with_a_key(opts: Mapping) -> Mapping:
    """Options under whose user the master has a key to publish jobs with.

    An orchestration that the reactor begins leaves "Reactor" as the user in the options of that whole process.
    """
    key = os.path.join(opts["cachedir"], f".{opts['user']}_key")
    return opts if os.path.exists(key) else {**opts, "user": salt.utils.user.get_user()}


class Fleet:
    """The minions, asked in parallel, each with arguments of its own, and the master's bus, told.

    with Fleet(opts) as fleet:
        answers = fleet.ask({"here": Question("alpha", "test.arg", {"a": 1}, believe, timeout=60)})
    """

    def __init__(self, opts: Mapping):
        self._opts = opts
        self._client = salt.client.LocalClient(mopts=_with_a_key(opts), listen=True)
        self._bus = self._client.event
        self._inquiry = Inquiry()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.destroy()

    @staticmethod
    def now() -> float:
        """The clock of `answers`, in seconds."""
        return time.monotonic()

    def ask(self, questions: Mapping[Hashable, Question]) -> dict[Hashable, Answer]:
        """All answers, when the last one is there or given up."""
        self.send(questions)
        return dict(self.answers())

    def send(self, questions: Mapping[Hashable, Question]) -> None:
        """Put the questions; `answers` gives what comes back."""
        for group in jobs(questions):
            self._send(group)

    def _send(self, group: Mapping[str, tuple[Hashable, Question]]) -> None:
        jid, nonce = salt.utils.jid.gen_jid(self._opts), secrets.token_hex(16)
        for key, question in group.values():
            self._inquiry.begin(key, question, jid, nonce, self.now())
        for host, trouble in self._publish(group, jid, nonce):
            self._inquiry.hopeless(jid, host, trouble, self.now())

    def _publish(
        self, group: Mapping[str, tuple[Hashable, Question]], jid: str, nonce: str
    ) -> Iterator[tuple[str, errors.PlanError]]:
        """Give the job to the master; yields the hosts to which it could not go."""
        known = [host for host in group if accepted_key(self._opts, host)]
        strangers = [host for host in group if host not in known]
        names = everyone(self._opts) if strangers else []
        yield from ((host, unknown(host, names)) for host in strangers)
        _, question = next(iter(group.values()))
        arguments = [{"__kwarg__": True, **question.arguments, "nonce": nonce}]
        try:
            self._job(known, question.function, arguments, jid)
        except salt.exceptions.SaltException as why:
            yield from ((host, _unpublished(host, question, why)) for host in known)

    def _job(self, hosts: list[str], function: str, arguments: list, jid: str) -> None:
        if hosts:
            self._client.pub(hosts, function, arguments, tgt_type="list", jid=jid, timeout=PUBLISH_TIMEOUT)

    def answers(self, until: float = NEVER) -> Iterator[tuple[Hashable, Answer]]:
        """Answers as they come until `now` is `until`; without that, until no question is open."""
        while self._inquiry or until < NEVER:
            yield from self._inquiry.ended(self.now())
            self._probe_doubted(self.now())
            if self.now() >= until or not (self._inquiry or until < NEVER):
                return
            yield from self._listen(min(until, self._inquiry.next_at()))

    def _probe_doubted(self, now: float) -> None:
        for asked in self._inquiry.doubted(now):
            jid = salt.utils.jid.gen_jid(self._opts)
            self._inquiry.probe(asked, jid, now)
            with contextlib.suppress(salt.exceptions.SaltException):
                self._job([asked.question.host], "saltutil.find_job", [asked.jid], jid)

    def _listen(self, until: float) -> Iterator[tuple[Hashable, Answer]]:
        event = self._next_event(until)
        match (event or {}).get("tag", "").split("/", 4):
            case ["salt", "job", jid, "ret", host]:
                yield from self._inquiry.heard(jid, host, event["data"], self.now())
            case ["salt", "event", "exit"]:
                raise KeyboardInterrupt

    def _next_event(self, until: float) -> dict | None:
        """The next event of any kind; Salt gives None at the end of the time, and at once while the master is away."""
        wait = max(until - self.now(), SHORTEST_WAIT)
        event = self._bus.get_event(wait=wait, tag="", full=True, auto_reconnect=True)
        if event is None:
            time.sleep(max(0.0, min(AWAY_PAUSE, until - self.now())))
        return event

    def tell(self, tag: str, data: Mapping) -> None:
        """Fire an event on the master's bus; that nobody may hear it is nothing to fail for."""
        try:
            self._bus.fire_event(dict(data), tag)
        except Exception as why:  # Salt's transports have many; a master that restarts takes none for a moment
            log.warning("the event %s could not be fired: %s", tag, why)


def in_background(opts: Mapping, function: str, arguments: Mapping[str, Any], user: str) -> str:
    """Run a runner's function in a process of its own, as Salt runs its asynchronous jobs; returns the job's id."""
    client = salt.runner.RunnerClient(dict(opts))
    return client.asynchronous(function, {"arg": [], "kwarg": dict(arguments)}, user)["jid"]


# --- people ----------------------------------------------------------------------------------------------------------


class Signals:
    """Hears what would end the process, so that it ends where it can. Salt swallows an exit raised at the wrong moment.

    Only the main thread can; elsewhere signals are as they were. What one hears, those hear too in which it is nested.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._heard: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in self.NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _hear(self, number: int, *_: object) -> None:
        self._heard.append(number)
        around = getattr(self._before.get(number), "__self__", None)
        if isinstance(around, Signals):
            around._hear(number)

    def take(self) -> int:
        """The next one that was not taken yet; 0 if none has come."""
        return self._heard.pop(0) if self._heard else 0


BETWEEN_LINES = 10.0
CLEAR = "\r\x1b[K"


def screen(opts: Mapping, quiet: bool) -> Screen | Silence:
    """Where people look on: the terminal of `salt-run`. Nobody looks at a runner that the master itself runs."""
    return Silence() if quiet or opts.get("__cli") != "salt-run" else Screen(sys.stderr)


ALREADY_TOLD = "already_told"
"""The outputter in `_output`."""


def needs_no_document(opts: Mapping) -> str:
    """The outputter that prints nothing, where all that `salt-run` prints ends on one terminal and nobody has said in
    what form the result is wanted; empty otherwise, and where Salt does not find it.
    """
    asked = opts.get("output") or opts.get("output_file") or opts.get("async")
    if opts.get("__cli") != "salt-run" or asked or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return ""
    return ALREADY_TOLD if ALREADY_TOLD in salt.loader.outputters(opts) else ""


class Shown(dict):
    """A result that people have in words on their screen."""


class Silence:
    """A screen that nobody looks at."""

    def shown(self, result: dict[str, Any]) -> dict[str, Any]:
        return result

    def say(self, lines: Iterable[str]) -> None:
        pass

    def show(self, *lines: str) -> None:
        pass


class Screen:
    """Lines that stay, and on a terminal some below them that change; elsewhere those are written now and then."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self._stream = stream
        self._clock = clock
        self._live = stream.isatty()
        self._shown_at = -NEVER
        self._below = 0

    def shown(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result, of which everything was said here."""
        return Shown(result)

    def say(self, lines: Iterable[str]) -> None:
        back = self._back() if self._live else ""
        self._write(back + "".join(f"{CLEAR if self._live else ''}{line}\n" for line in lines))
        self._below = 0

    def show(self, *lines: str) -> None:
        if self._live:
            width = self._columns() - 1
            self._write(self._back() + "\n".join(f"{CLEAR}{line[:width]}" for line in lines))
            self._below = len(lines) - 1
        elif self._clock() - self._shown_at >= BETWEEN_LINES:
            self._shown_at = self._clock()
            self._write("".join(f"{line}\n" for line in lines))

    def _columns(self) -> int:
        """Of the terminal that is written to: what the result goes to may be a file. One that tells no width has 0."""
        told = 0
        with contextlib.suppress(OSError, ValueError):
            told = os.get_terminal_size(self._stream.fileno()).columns
        return told or shutil.get_terminal_size().columns

    def _back(self) -> str:
        """To the first of the lines that change, all of them wiped out."""
        return f"\r\x1b[{self._below}A\x1b[J" if self._below > 0 else ""

    def _write(self, text: str) -> None:
        """A screen that went away is no reason to end."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
