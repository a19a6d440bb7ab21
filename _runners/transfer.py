"""Moves files and directory trees from one Salt minion to another, directly, and proves that they arrived.

Every function returns one dict. In it `retcode` is the exit status of `salt-run`, `result` the same in a word, and
`reasons` a list of {code, name, text} for whatever is not as asked. What people want to see goes to stderr, so that
stdout can be parsed.

A transfer does not need the runner: once begun it goes on without it, and from any process of the master the functions
below can look at it, end it, and clean up after it.
"""

import functools
import heapq
import inspect
import itertools
import logging
import re
import secrets
import time

import saltface
from datamover.errors import LocalError, UnknownTransfer
from transferplan import course, display, errors, events, report, request, settings, statement, words
from transferplan import plan as planning
from transferplan.kinds import Truth
from transferplan.request import ATTEMPT, DESTINATION, SOURCE, Member

_log = logging.getLogger(__name__)

__func_alias__ = {"list_": "list"}

LOOK_TIMEOUT = 30.0
LOOK_PATIENCE = 3.0
END_TIMEOUT = 120.0
PATIENCE = 5.0
GLANCE = 0.5
SALTS_OWN = {"__kwarg__", "__id__", "__sls__", "__env__", "__orchestration_jid__", "__jid__", "__tag__", "__user__"}


# --- what Salt calls -------------------------------------------------------------------------------------------------


def _face(function):
    """Makes of a function what Salt may call: whatever it is given and whatever happens, its exit status is true.

    Salt ends with status 0 when a runner raises TypeError or returns False, and prints a traceback for anything else.
    """

    @functools.wraps(function)
    def face(*args, **kwargs):
        given = {name: value for name, value in kwargs.items() if not _is_salts_own(name)}
        args, given = words.as_typed(args, given, _typed(__opts__))
        answer = _answer(function, args, given)
        __context__["retcode"] = answer["retcode"]
        return answer

    # Salt must not find the true signature, else it refuses arguments in its own way before we see them.
    del face.__wrapped__
    face.__doc__ = (function.__doc__ or "").replace("    OPTIONS\n", settings.describe())
    return face


def _is_salts_own(name):
    """Whether Salt adds this keyword by itself, for a reaction, an orchestration or a job."""
    return name.startswith("__pub_") or name in SALTS_OWN


def _typed(opts):
    """The words of a command line that names places; None where there is none, as in an orchestration."""
    return opts.get("arg") if opts.get("fun") in ("transfer.copy", "transfer.plan") else None


def _answer(function, args, given):
    try:
        _refuse_misfits(function, args, given)
        return function(*args, **given)
    except errors.Refused as refused:
        return _ending("refused", refused.reasons)
    except errors.PlanError as error:
        return _ending("failed", [error.as_reason()])
    except (KeyboardInterrupt, SystemExit):
        return _ending("unknown", [errors.OutOfSight.reason("interrupted before every minion had answered")])
    except Exception as error:
        return _ending("failed", [_bug(error)])


def _bug(error):
    """The reason that stands for an error which nobody foresaw; called where it is caught."""
    _log.exception("This is a bug of salt-transfer")
    return errors.Reason(LocalError.code, LocalError.name, f"a bug: {error!r}; the traceback is in the master's log")


def _ending(result, reasons):
    return {"result": result, "reasons": [each.as_dict() for each in reasons], "retcode": report.RETCODES[result]}


def _refuse_misfits(function, args, given):
    """Refuse arguments that the function does not take, or lacks."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **given)
    except TypeError as error:
        takes = ", ".join(signature.parameters)
        name = f"transfer.{function.__name__.rstrip('_')}"
        raise errors.Refused([errors.BadOption.reason(f"{name}: {error}; it takes {takes}")]) from None


@_face
def copy(src=None, dst=None, *, test=False, **options):
    """
    Copy a file or a directory from one minion to another.

    src
        ``MINION:/path`` of a file or directory. A slash at its end means nothing.

    dst
        ``MINION:/path``. With a slash at its end it is a directory to copy into, else the final name, under which
        nothing may exist yet.

    test : False
        Check everything, tell the plan, and change nothing.

    Options:

    OPTIONS
    Returns a dict: ``result`` (ok, failed, refused, cancelled, unknown), ``transfer`` (its id), ``source`` and
    ``destinations`` (by host: place, verdict, figures in bytes and seconds), ``receipt`` (what proves the copy: level,
    algorithm, root, counts), ``phases`` (seconds), ``reasons``, ``retcode``. With ``test=True`` it has ``plan`` instead
    and ``result`` is planned.

    Ended by Ctrl-C before bytes move, everything is undone; after that the transfer goes on without being watched.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.copy src=db1:/srv/data dst=db2:/srv/
        salt-run --out=json transfer.copy src=db1:/srv/data dst=db2:/srv/copy test=True
    """
    dry, reasons = _dry(test)
    return _run(__opts__, src, dst, options, dry, reasons)


@_face
def plan(src=None, dst=None, **options):
    """
    Check whether a copy could be made, tell how, and change nothing; the same as ``transfer.copy ... test=True``.

    Takes what ``transfer.copy`` takes.

    Returns a dict: ``result`` (planned or refused), ``transfer``, ``plan`` (places, sizes in bytes, addresses,
    firewall, settings, warnings), ``reasons`` (all of them at once), ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.plan src=db1:/srv/data dst=db2:/srv/
    """
    return _run(__opts__, src, dst, options, dry=True)


@_face
def status(transfer, minions=None):
    """
    Tell how far a transfer is, or how it ended, as its ends tell it themselves.

    transfer
        Its id: 32 hex digits, as ``transfer.copy`` and ``transfer.list`` tell it.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    Returns a dict: ``transfer``, ``ends`` (for each: host, role, phase, alive, progress in bytes and files, phases in
    seconds, verdict), ``silent`` (minions that did not answer), ``result``, ``reasons``, ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.status 0123456789abcdef0123456789abcdef
    """
    return _about(__opts__, "status", transfer, minions, LOOK_TIMEOUT)


@_face
def list_(minions=None):
    """
    List the transfers that minions know, running and ended, the newest first.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    Returns a dict: ``transfers`` (for each: transfer and its ends with host, role, phase), ``more`` (how many older
    ones are not listed), ``silent``, ``result``, ``reasons``, ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.list
    """
    told, silent, reasons = _ask_hosts(__opts__, "list", minions, {}, LOOK_TIMEOUT)
    runs = [{"host": host, **run} for host, payload in told.items() for run in payload["runs"]]
    more = sum(payload["more"] for payload in told.values())
    return _conclude({"transfers": _by_transfer(runs), "more": more, "silent": silent}, reasons)


@_face
def log(transfer, minions=None, after=0):
    """
    Show what the workers of a transfer wrote into their logs.

    transfer
        Its id: 32 hex digits.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    after : 0
        Leave out that many lines at the beginning.

    Returns a dict: ``transfer``, ``ends`` (for each: host, role, lines, more: whether there are further lines),
    ``silent``, ``result``, ``reasons``, ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.log 0123456789abcdef0123456789abcdef minions=db1
    """
    return _about(__opts__, "log", transfer, minions, LOOK_TIMEOUT, after=after)


@_face
def cancel(transfer, minions=None):
    """
    End a transfer: its workers undo what they opened and reserved, and nothing appears under the final name.

    Can be repeated. What has been published already stays.

    transfer
        Its id: 32 hex digits.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    Returns a dict: ``transfer``, ``ends`` (for each: host, role, phase), ``silent``, ``result``, ``reasons``,
    ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.cancel 0123456789abcdef0123456789abcdef
    """
    return _about(__opts__, "cancel", transfer, minions, END_TIMEOUT)


@_face
def sweep(minions=None, test=False):
    """
    Remove what dead transfers left on minions, and records older than ``keep_runs``. Running ones are not touched.

    minions
        Whom to ask, as a list or separated by commas; every minion without it.

    test : False
        Only list what would be removed.

    Returns a dict: ``hosts`` (for each: found, removed, trouble), ``silent``, ``result``, ``reasons``, ``retcode``.

    CLI Example:

    .. code-block:: bash

        salt-run transfer.sweep test=True
    """
    told, silent, reasons = _ask_hosts(__opts__, "sweep", minions, {"test": _truth("test", test)}, END_TIMEOUT)
    return _conclude({"hosts": told, "silent": silent}, reasons)


def _dry(test):
    """(whether nothing may be changed, reasons): what is neither yes nor no must not hide other reasons."""
    try:
        return _truth("test", test), ()
    except errors.Refused as doubt:
        return True, doubt.reasons


def _truth(name, value):
    try:
        return Truth().read(value)
    except ValueError:
        raise errors.Refused([errors.BadOption.reason(f"{name} must be {Truth.takes}, not {value!r}")]) from None


# --- the story of a copy ---------------------------------------------------------------------------------------------


def _run(opts, src, dst, options, dry, reasons=()):
    """A request becomes a course, which is followed to its end and told."""
    transfer = _new_id()
    try:
        asked = request.read(src, dst, options, saltface.master_layers(opts), transfer, reasons)
    except errors.Refused as refused:
        return report.refusal(transfer, src, dst, refused.reasons)
    screen = saltface.screen(opts, asked.settings.quiet)
    drive = _Drive(opts, asked, screen, dry)
    bug = _see_through(opts, drive)
    return _with_bug(drive.result(), bug) if bug else drive.result()


def _new_id():
    """A random id of 32 hex digits; one without any letter would be a number to Salt's command line."""
    return next(each for each in iter(lambda: secrets.token_hex(16), None) if not each.isdigit())


def _see_through(opts, drive):
    """Drive to the end. A bug on the way is told; what was begun is undone then, or goes on and is told to do so."""
    with saltface.Signals() as signals:
        try:
            with saltface.Fleet(opts) as fleet:
                drive.run(fleet, signals)
        except Exception as error:
            bug = _bug(error)
            if drive.over:
                return None
            drive.abandon()
            with saltface.Fleet(opts) as fleet:
                drive.run(fleet, signals)
            return bug
    return None


def _with_bug(result, bug):
    word = "unknown" if result["result"] == "unknown" else "failed"
    return {**result, **_ending(word, []), "reasons": [bug.as_dict(), *result["reasons"]]}


class _Drive:
    """Carries out what the course decides and tells it what came of it. All waiting is here, all deciding there."""

    def __init__(self, opts, asked, screen, dry):
        self._opts = opts
        self._screen = screen
        self._dry = dry
        self._plan = None
        self._calls = []
        self._serial = itertools.count(1)
        self._events = itertools.count(1)
        self._pace = display.Pace()
        self.state, actions = course.begin(asked, time.monotonic())
        self._due = list(actions)

    @property
    def over(self):
        return self.state.ended or self._plan_is_all

    @property
    def _plan_is_all(self):
        return self._dry and self._plan is not None

    def run(self, fleet, signals):
        self._act(fleet)
        while not self.over:
            # Asked between two steps, when all that the course counts as said has really been said.
            if signals.take():
                self.interrupt()
            else:
                self._listen(fleet)
            self._act(fleet)
        self._finish(fleet)

    def interrupt(self):
        """Somebody wants us to end; the course says what is to be done about it."""
        self._observe(course.Interrupted(), time.monotonic())

    def abandon(self):
        """Something failed us in the middle of a step: what is under way will never be heard of."""
        self._due, self._calls = [], []
        stage = self.state.stage
        self.interrupt()
        if self.state.stage == stage:
            self.interrupt()

    def result(self):
        """What the runner returns."""
        return _planned(self._plan) if self._plan_is_all else report.result(self.state)

    # what the course wants

    def _act(self, fleet):
        while self._due:
            self._carry_out(fleet, self._due.pop(0))
        self._put_questions(fleet)

    def _carry_out(self, fleet, action):
        if isinstance(action, course.Tell):
            self._tell(fleet, action.what, action.details)
        elif isinstance(action, course.Decide):
            self._decide(action.answers, fleet.now())
        else:
            heapq.heappush(self._calls, (action.at, next(self._serial), action))

    def _decide(self, answers, now):
        try:
            self._plan = planning.make(self.state.request, answers)
        except errors.Refused as refused:
            self._observe(course.Declined(refused.reasons), now)
            return
        self._screen.say(display.plan_lines(self._plan.summary()))
        if not self._dry:
            self._observe(course.Decided(self._plan), now)

    def _put_questions(self, fleet):
        """Make the calls whose time has come."""
        questions = {}
        while self._calls and self._calls[0][0] <= fleet.now():
            _, serial, call = heapq.heappop(self._calls)
            questions[call.member, call.function, serial] = self._question(call)
        fleet.send(questions)

    def _question(self, call):
        believe = _believe(self._opts, call.member, self.state.request.transfer, ATTEMPT)
        patience = PATIENCE + call.arguments.get("wait", 0.0)
        return saltface.Question(
            call.member.host, f"transfer.{call.function}", call.arguments, believe, call.timeout, patience
        )

    # what came of it

    def _listen(self, fleet):
        """Hear one answer, or nothing for a moment: calls become due, and signals want to be seen."""
        until = min([fleet.now() + GLANCE, *(at for at, _, _ in self._calls[:1])])
        for (member, function, _), answer in fleet.answers(until):
            if answer.trouble:
                self._screen.show(answer.trouble.text)
            return self._observe(_heard(member, function, answer), fleet.now())

    def _observe(self, observation, now):
        self.state, actions = course.step(self.state, observation, now)
        self._due += actions

    # who is told

    def _tell(self, fleet, what, details):
        if not self._dry:
            event = events.make(self.state.request.transfer, next(self._events), what, details)
            fleet.tell(event.tag, event.data)
        if what == "progress":
            self._pace = display.measure(self.state.statuses, self._pace, fleet.now())
            self._screen.show(display.progress_line(self.state.statuses, self._pace))
        elif self.state.request.settings.verbose:
            self._screen.say([display.event_line(what, details)])

    def _finish(self, fleet):
        result = self.result()
        if self.state.ended:
            self._tell(fleet, "finished", report.brief(result))
            self._screen.say(display.result_lines(result))


def _planned(plan):
    """What a run that stops before the first change returns."""
    return {
        "transfer": plan.transfer,
        "result": "planned",
        "plan": plan.summary(),
        "reasons": [],
        "retcode": report.RETCODES["ok"],
    }


def _heard(member, function, answer):
    if answer.trouble:
        return course.Unheard(member, function, answer.trouble)
    return course.Heard(member, function, answer.payload)


def _believe(opts, member, transfer="", attempt=0):
    """How to tell what this member of this transfer really said: by its signature over our own question."""

    def believe(nonce, returned):
        signed = statement.Signed.from_return(returned, member.host)
        if not saltface.check(opts, member.host, signed.signed_bytes(), signed.signature):
            raise errors.StatementMismatch(
                f"an answer came in the name of {member.host} that its Salt key has not signed; "
                "is an older salt-transfer there, or does somebody forge?"
            )
        return statement.Question(member.host, nonce, transfer, attempt, member.role).payload_of(signed.statement)

    return believe


# --- looking at transfers from anywhere ------------------------------------------------------------------------------


def _about(opts, function, transfer, minions, timeout, **arguments):
    """Ask the ends of one transfer, wherever they are, and put what they tell side by side."""
    _refuse_no_transfer(transfer)
    hosts = _hosts(opts, minions)
    members = [Member(host, role) for host in hosts for role in (SOURCE, DESTINATION)]
    named = {"transfer": transfer, **arguments}
    told, silent, reasons = _ask(
        opts,
        {each: _look(opts, each, function, {**named, "role": each.role}, timeout, transfer) for each in members},
        everyone=minions is None,
    )
    ends = [{"host": member.host, "role": member.role, **payload} for member, payload in told.items()]
    body = {"transfer": transfer, "ends": ends, "silent": silent}
    if silent and not reasons and {end["role"] for end in ends} != {SOURCE, DESTINATION}:
        return {**body, **_ending("unknown", [_half_told(transfer, ends, silent)])}
    if not ends and not reasons:
        reasons = [_nobody_knows(transfer, hosts)]
    return _conclude(body, reasons)


def _ask_hosts(opts, function, minions, arguments, timeout):
    """Ask minions about all that they know: (payloads by host, silent hosts, reasons)."""
    hosts = [Member(host, "") for host in _hosts(opts, minions)]
    questions = {each: _look(opts, each, function, arguments, timeout) for each in hosts}
    told, silent, reasons = _ask(opts, questions, everyone=minions is None)
    return {member.host: payload for member, payload in told.items()}, silent, reasons


def _look(opts, member, function, arguments, timeout, transfer=""):
    believe = _believe(opts, member, transfer, ATTEMPT if transfer else 0)
    return saltface.Question(member.host, f"transfer.{function}", arguments, believe, timeout, LOOK_PATIENCE)


def _ask(opts, questions, everyone):
    """(payloads by member, hosts that told nothing, reasons). Who was not asked by name may have nothing to tell."""
    with saltface.Fleet(opts) as fleet:
        answers = fleet.ask(questions)
    told, silent, reasons = {}, set(), []
    for member, answer in answers.items():
        if answer.trouble:
            silent.add(member.host)
            reasons += [] if everyone else [answer.trouble.as_reason()]
        elif reason := planning.error_in(member, answer.payload):
            reasons += [reason] if reason.code != UnknownTransfer.code else []
        else:
            told[member] = answer.payload
    return told, sorted(silent), list(dict.fromkeys(reasons))


def _hosts(opts, minions):
    if minions is None:
        return saltface.everyone(opts)
    names = minions if isinstance(minions, list) else str(minions).split(",")
    return sorted({str(name).strip() for name in names} - {""})


def _conclude(body, reasons):
    return {**body, **_ending("failed" if reasons else "ok", reasons)}


def _refuse_no_transfer(transfer):
    if not re.fullmatch("[0-9a-f]{32}", str(transfer)):
        raise errors.Refused(
            [errors.BadOption.reason(f"{transfer!r} is no transfer: its id has 32 hex digits, see transfer.list")]
        )


def _half_told(transfer, ends, silent):
    """Who is silent may be the end that has not told."""
    told = " and ".join(f"the {end['role']} {end['host']}" for end in ends) or "nobody"
    return errors.OutOfSight.reason(
        f"of transfer {transfer} {told} has told, and {', '.join(silent)} did not answer: "
        "the rest may be there; ask again when it is up"
    )


def _nobody_knows(transfer, hosts):
    asked = f"{len(hosts)} minions were" if len(hosts) != 1 else f"{hosts[0]} was"
    text = f"nobody who answered knows of transfer {transfer} ({asked} asked)"
    return errors.Reason(UnknownTransfer.code, UnknownTransfer.name, text)


def _by_transfer(runs):
    """Short statuses of single ends, the newest first, joined to transfers."""
    joined = {}
    for run in sorted(runs, key=lambda run: str(run.get("wall")), reverse=True):
        joined.setdefault(run["transfer"], []).append(run)
    return [{"transfer": transfer, "ends": ends} for transfer, ends in joined.items()]
