"""What the runner does next with a transfer: its state and what it observes in, the new state and actions out.

    asking      every minion is asked for facts                       facts
    deciding    the driver makes the plan of them and says so
    queueing    busy hosts are asked whether it is our turn, at last  queue
                everybody for facts again
    leaving     the places in the queues are given back               queue
    preparing   every minion starts its worker                        prepare
    arming      every worker learns the roster, listens               arm
    starting    the source is told to begin                           go
    following   every worker is watched until its verdict is known    follow
    withdrawing what was prepared is told to undo itself              cancel
    ended

Until `go` is said, trouble of any kind withdraws. Once it is said, bytes may be moving, and from then on the runner
only watches: neither its own end nor a silent minion stops a transfer. Only when the source, or the last destination
that was left, has failed before bytes moved are the others told to stop. Calls are safe to repeat, so a call that
nobody answered is repeated once before the transfer is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from . import plan as planning
from . import units
from .errors import BadAnswer, MinionSilent, NeverBegan, OutOfSight, PlanError, Reason, TooManyTransfers, WorkerGone
from .plan import Plan
from .request import SOURCE, Member, Request
from .status import FAILED, UNSTARTED, Status
from .waits import Queue

REFUSED, GIVEN_UP, CANCELLED, LEFT, FOLLOWED = "refused", "given up", "cancelled", "left", "followed"
WAITS_ON = "waits on"
FIRST_WAIT = 1.0
LONGEST_WAIT = 20.0
WATCHED_WAIT = 4.0
QUEUE_WAIT = 5.0
TRIES = 2
# A worker that is cancelled answers when it has ended and everything is undone.
EXTRA_TIME = {"cancel": 30.0}
PATIENCE = 120.0
NOTHING_THERE = "unknown-transfer"
ASKING = ("asking", "deciding", "queueing")
BEFORE_GO = (*ASKING, "preparing", "arming", "starting")


# What the driver observes.


@dataclass(frozen=True)
class Heard:
    """What a minion's function answered; its signature was checked."""

    member: Member
    function: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Unheard:
    """There is no answer that can be believed, and why."""

    member: Member
    function: str
    trouble: PlanError


@dataclass(frozen=True)
class Decided:
    """The plan that was made of the facts."""

    plan: Plan


@dataclass(frozen=True)
class Declined:
    """Why the facts allow no plan; `final` where nothing is waited for."""

    reasons: tuple[Reason, ...]
    final: bool = False


@dataclass(frozen=True)
class Interrupted:
    """The user or the system wants the runner to end. A copy that waits `stays`: somebody will go on for it."""

    stays: bool = False


Observation = Heard | Unheard | Decided | Declined | Interrupted


# What the driver is to do.


@dataclass(frozen=True)
class Call:
    """Run `transfer.<function>` on a minion, not before `at`, and give it `timeout` seconds."""

    member: Member
    function: str
    arguments: Mapping[str, Any]
    at: float
    timeout: float


@dataclass(frozen=True)
class Decide:
    """Make the plan from these answers (plan.make), then say Decided or Declined."""

    answers: Mapping[Member, planning.Answer]


@dataclass(frozen=True)
class Tell:
    """Fire this event (events.make)."""

    what: str
    details: Mapping[str, Any]


Action = Call | Decide | Tell


@dataclass(frozen=True)
class Round:
    """A call to several members at once, and the stage that follows when all have answered."""

    function: str
    then: str
    only: str = ""
    forgiving: bool = False
    says: str = ""


ROUNDS: Mapping[str, Round] = {
    "asking": Round("facts", then="deciding", forgiving=True),
    "queueing": Round("queue", then="asking", forgiving=True),
    "leaving": Round("queue", then="ended", forgiving=True),
    "preparing": Round("prepare", then="arming", says="prepared"),
    "arming": Round("arm", then="starting", says="armed"),
    "starting": Round("go", then="following", only=SOURCE, says="started"),
    "withdrawing": Round("cancel", then="ended", forgiving=True, says="withdrawn"),
}


@dataclass(frozen=True)
class Watch:
    """What is known of one worker while it is followed."""

    heard_at: float
    wait: float = FIRST_WAIT
    status: Status | None = None
    doubted: bool = False
    over: bool = False

    @property
    def phase(self) -> str:
        return self.status.phase if self.status else ""

    @property
    def seq(self) -> int:
        return self.status.seq if self.status else 0


@dataclass(frozen=True)
class State:
    """Where a transfer stands, as far as the runner knows. A spectator only watches what another began.

    `foreign` are ends where this attempt is somebody else's, who resumed at the same time. `queues` are those
    that it waits in.
    """

    request: Request
    stage: str
    plan: Plan | None = None
    answers: Mapping[Member, Any] = field(default_factory=dict)
    tries: Mapping[Member, int] = field(default_factory=dict)
    watches: Mapping[Member, Watch] = field(default_factory=dict)
    roster: Mapping[str, Any] | None = None
    reasons: tuple[Reason, ...] = ()
    stopped: tuple[Member, ...] = ()
    outcome: str = ""
    spectator: bool = False
    foreign: frozenset[Member] = frozenset()
    waits_since: float | None = None
    queues: tuple[Queue, ...] = ()
    began: Mapping[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.stage == "ended"

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(self.request.ends())

    @property
    def waits(self) -> bool:
        """Whether it has waited for busy hosts and nothing has begun so far, so that it may still be begun."""
        begins = self.stage in BEFORE_GO and not self.outcome
        return self.waits_since is not None and (begins or self.outcome == WAITS_ON)

    @property
    def statuses(self) -> dict[Member, Status]:
        """The last status of every worker that told one."""
        return {member: watch.status for member, watch in self.watches.items() if watch.status}

    @property
    def heard_at(self) -> dict[Member, float]:
        """When each of them told its last one."""
        return {member: watch.heard_at for member, watch in self.watches.items() if watch.status}


Step = tuple[State, tuple[Action, ...]]


def begin(request: Request, now: float, waited: float | None = None) -> Step:
    """A new course; or for a copy that has `waited` so many seconds, whose runner is gone, one in its place."""
    since = None if waited is None else now - waited
    state, actions = _enter(State(request, "asking", waits_since=since), "asking", now)
    asked = {
        "source": str(request.source),
        "destinations": [str(place) for place in request.destinations],
        "asked_by": dict(request.asked_by),
    }
    return state, (Tell("asked", asked), *actions)


def probe(plan: Plan, now: float) -> Step:
    """Carry out the plan of a probe; nobody is told but who asked for it."""
    return _enter(State(plan.request, "deciding", plan=plan), "preparing", now)


def seen(request: Request, statuses: Mapping[Member, Status]) -> State:
    """A transfer as these statuses tell it, which nobody follows any further."""
    watches = {member: Watch(0.0, status=status) for member, status in statuses.items()}
    return State(request, "ended", watches=watches, outcome=FOLLOWED, spectator=True)


def attach(request: Request, now: float) -> Step:
    """Follow a transfer that somebody else began to its end."""
    return _follow_all(State(request, "following", spectator=True), now)


def leave(state: State, now: float) -> Step:
    """Give back the places of a copy that waits, and end."""
    return _leave_queues(replace(state, outcome=LEFT), now)


def step(state: State, observation: Observation, now: float) -> Step:
    """What follows from an observation. One that no longer matters, such as a late answer, changes nothing."""
    if isinstance(observation, Interrupted):
        return _interrupted(state, observation, now)
    if isinstance(observation, Decided):
        return _decided(state, observation.plan, now)
    if isinstance(observation, Declined):
        return _declined(state, observation, now)
    if state.stage == "following" and observation.function == "follow":
        return _watch(state, observation, now)
    if state.stage in ROUNDS and observation.function == ROUNDS[state.stage].function:
        return _collect(state, observation, now)
    return state, ()


def _enter(state: State, stage: str, now: float) -> Step:
    """Begin a stage: its calls are made, and what the last stage collected is forgotten."""
    if stage == "deciding":
        return _at(state, stage, now), (Decide(state.answers),)
    if stage == "following":
        return _follow_all(state, now)
    if stage == "ended":
        return _end(state, state.outcome, now)
    state = replace(_at(state, stage, now), answers={}, tries={})
    return state, tuple(_call(state, member, ROUNDS[stage].function, now) for member in _awaited(state))


def _at(state: State, stage: str, now: float) -> State:
    return replace(state, stage=stage, began={**state.began, stage: now})


def _end(state: State, outcome: str, now: float) -> Step:
    return replace(_at(state, "ended", now), outcome=outcome), ()


def _awaited(state: State) -> tuple[Member, ...]:
    only = ROUNDS[state.stage].only
    ours = (member for member in state.members if state.stage != "withdrawing" or member not in state.foreign)
    return tuple(member for member in ours if not only or member.role == only)


def _call(state: State, member: Member, function: str, at: float, **more: Any) -> Call:
    arguments = _ARGUMENTS.get(function, _name_it)(state, member)
    timeout = state.request.settings.job_timeout + more.get("wait", 0.0) + EXTRA_TIME.get(function, 0.0)
    return Call(member, function, {**arguments, **more}, at, timeout)


def _name_it(state: State, member: Member) -> dict[str, Any]:
    return {"transfer": state.request.transfer, "role": member.role, "attempt": state.request.attempt}


def _ask(state: State, member: Member) -> dict[str, Any]:
    return {"ask": state.request.asks()[member]}


def _specify(state: State, member: Member) -> dict[str, Any]:
    assert state.plan, "preparing follows a plan"
    return {"spec": state.plan.specs()[member]}


def _introduce(state: State, member: Member) -> dict[str, Any]:
    return {**_name_it(state, member), "roster": state.roster}


def _withdraw_it(state: State, member: Member) -> dict[str, Any]:
    """What earlier attempts have brought over is not given up because this one does not begin."""
    return {**_name_it(state, member), "keep": state.request.attempt > 1}


def _queue_up(state: State, member: Member) -> dict[str, Any]:
    request = state.request
    ticket = {"at": request.asked_at, "same": request.alike(), "leave": state.stage == "leaving"}
    return {**_name_it(state, member), **ticket}


_ARGUMENTS: Mapping[str, Callable[[State, Member], dict[str, Any]]] = {
    "facts": _ask,
    "queue": _queue_up,
    "prepare": _specify,
    "arm": _introduce,
    "cancel": _withdraw_it,
}


# Rounds: everybody is asked once, and once more if need be.


def _collect(state: State, observation: Heard | Unheard, now: float) -> Step:
    member, said = observation.member, ROUNDS[state.stage]
    tries = {**state.tries, member: state.tries.get(member, 1) + 1}
    if _is_silent(observation) and not said.forgiving and tries[member] <= TRIES:
        return replace(state, tries=tries), (_call(state, member, said.function, now),)
    answer = observation.payload if isinstance(observation, Heard) else observation.trouble
    state = replace(state, answers={**state.answers, member: answer})
    told = _told(said, member, answer)
    if set(_awaited(state)) - set(state.answers):
        return state, told
    state, actions = _conclude(state, said, now)
    return state, told + actions


def _is_silent(observation: Heard | Unheard) -> bool:
    return isinstance(observation, Unheard) and isinstance(observation.trouble, MinionSilent)


def _told(said: Round, member: Member, answer: planning.Answer) -> tuple[Action, ...]:
    if not said.says or not isinstance(answer, Mapping) or answer.get("error"):
        return ()
    return (Tell(said.says, {"host": member.host, "role": member.role}),)


def _conclude(state: State, said: Round, now: float) -> Step:
    """All have answered: on to the next stage, or back."""
    if state.stage == "asking":
        return _enter(state, said.then, now)
    if state.stage == "queueing":
        return _queued(state, now)
    if state.stage == "leaving":
        return _end(state, state.outcome, now)
    reasons = _reasons(state)
    if state.stage == "withdrawing":
        return _enter(replace(state, reasons=state.reasons + _undoing(state, reasons)), said.then, now)
    if state.stage == "preparing":
        state = replace(state, foreign=_foreign(state))
    if state.outcome:
        return _withdraw(state, now, state.outcome)
    if reasons:
        return _withdraw(replace(state, reasons=reasons), now, GIVEN_UP)
    if state.stage == "preparing":
        return _gather_roster(state, now)
    return _enter(state, said.then, now)


def _foreign(state: State) -> frozenset[Member]:
    """Who refused a later attempt, or had it already: that one may be another runner's, whose work stays untouched."""
    answers = state.answers.items() if state.request.attempt > 1 else ()
    told = [(member, answer) for member, answer in answers if isinstance(answer, Mapping)]
    return frozenset(member for member, answer in told if answer.get("error") or answer.get("attached"))


def _reasons(state: State) -> tuple[Reason, ...]:
    """What is wrong with the answers. A source that does not answer to `go` may have heard it: that is no reason."""
    found = []
    for member, answer in state.answers.items():
        if isinstance(answer, PlanError):
            if state.stage != "starting" or not isinstance(answer, MinionSilent):
                found.append(answer.as_reason())
        elif reason := _error_in(member, answer):
            found.append(reason)
    return tuple(found)


def _error_in(member: Member, payload: Mapping[str, Any]) -> Reason | None:
    try:
        return planning.error_in(member, payload)
    except BadAnswer as error:
        return error.as_reason()


def _undoing(state: State, reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """What could not be undone at once. Where nothing was prepared there is nothing to undo."""
    lease = state.request.settings.lease
    return tuple(
        NeverBegan.reason(f"{reason.text} (while withdrawing: what was prepared there undoes itself within {lease} s)")
        for reason in reasons
        if reason.name != NOTHING_THERE
    )


def _gather_roster(state: State, now: float) -> Step:
    assert state.plan, "preparing follows a plan"
    try:
        roster = planning.roster(state.plan, state.answers)
    except BadAnswer as error:
        return _withdraw(replace(state, reasons=(error.as_reason(),)), now, GIVEN_UP)
    return _enter(replace(state, roster=roster), "arming", now)


def _decided(state: State, plan: Plan, now: float) -> Step:
    state, actions = _enter(replace(state, plan=plan), "preparing", now)
    return state, (Tell("planned", plan.summary()), *actions)


def _declined(state: State, declined: Declined, now: float) -> Step:
    state = replace(state, reasons=declined.reasons)
    if not declined.final and _may_wait(state, now):
        since = now if state.waits_since is None else state.waits_since
        return _enter(replace(state, waits_since=since), "queueing", now)
    return _refuse(state, now)


def _refuse(state: State, now: float) -> Step:
    told = Tell("refused", {"reasons": [reason.as_dict() for reason in state.reasons]})
    state, actions = _leave_queues(replace(state, outcome=REFUSED), now)
    return state, (told, *actions)


# Waiting for hosts that take part in as many transfers as they may.


def _may_wait(state: State, now: float) -> bool:
    """Whether nothing but a crowd is in the way, and there is time. A host that is away for a moment costs nobody the
    place in which it has waited already.
    """
    began, passing = now if state.waits_since is None else state.waits_since, {TooManyTransfers.code}
    if state.waits_since is not None:
        passing.add(MinionSilent.code)
    passes = all(reason.code in passing for reason in state.reasons)
    return passes and now - began < state.request.settings.wait


def _queued(state: State, now: float) -> Step:
    """All have told how long their queues are: it is our turn everywhere, or they are asked again."""
    if troubles := [each for each in _reasons(state) if each.code != MinionSilent.code]:
        return _refuse(replace(state, reasons=tuple(troubles)), now)
    told = {member: answer for member, answer in state.answers.items() if isinstance(answer, Mapping)}
    since = [answer["at"] for answer in told.values() if isinstance(answer.get("at"), (int, float))]
    state = replace(state, request=replace(state.request, asked_at=min([state.request.asked_at, *since])))
    if len(told) == len(state.members) and all(answer.get("turn") is True for answer in told.values()):
        return _enter(replace(state, reasons=()), "asking", now)
    if not _may_wait(state, now):
        return _refuse(state, now)
    busy = {member: answer for member, answer in told.items() if not answer.get("turn")}
    queues = tuple(Queue.told(member.host, member.role, answer) for member, answer in busy.items())
    news = [Tell("queued", queue.news()) for queue in queues if queues != state.queues]
    state = replace(state, answers={}, tries={}, queues=queues)
    return state, (*news, *(_call(state, member, "queue", now + QUEUE_WAIT) for member in state.members))


def _leave_queues(state: State, now: float) -> Step:
    """Give the places back, if there are any, and end."""
    return _end(state, state.outcome, now) if state.waits_since is None else _enter(state, "leaving", now)


def _stop_waiting(state: State, now: float) -> Step:
    return _leave_queues(replace(state, outcome=CANCELLED, reasons=()), now)


def _withdraw(state: State, now: float, outcome: str) -> Step:
    if state.foreign == frozenset(state.members):
        return _end(state, outcome, now)
    return _enter(replace(state, outcome=outcome), "withdrawing", now)


# The end of the runner itself.


def _interrupted(state: State, interrupted: Interrupted, now: float) -> Step:
    if interrupted.stays and state.waits and state.stage in ASKING:
        return _wait_on(state, now)
    return _INTERRUPTED[state.stage](state, now)


def _wait_on(state: State, now: float) -> Step:
    """The places are kept for whoever goes on in them."""
    name = state.request.transfer
    left = OutOfSight.reason(
        f"the copy waits on without a runner: salt-run transfer.attach {name} or transfer.tend goes on with it, "
        f"salt-run transfer.cancel {name} gives it up"
    )
    return _end(replace(state, reasons=(left,)), WAITS_ON, now)


def _cancel(state: State, now: float) -> Step:
    return _withdraw(state, now, CANCELLED)


def _cancel_when_prepared(state: State, now: float) -> Step:
    """A worker that is just being made cannot be cancelled yet; asked once more, that is left to its lease."""
    if state.outcome:
        return _withdraw(replace(state, foreign=_foreign(state)), now, state.outcome)
    return replace(state, outcome=CANCELLED), ()


def _leave(state: State, now: float) -> Step:
    """Bytes may be moving: the workers go on without the runner. A probe is of use to nobody else."""
    if state.plan and state.plan.is_probe:
        return _withdraw(state, now, CANCELLED)
    name = state.request.transfer
    left = OutOfSight.reason(
        f"the transfer goes on without being watched: salt-run transfer.attach {name} follows it to its end, "
        f"salt-run transfer.cancel {name} ends it"
    )
    return _end(replace(state, reasons=(*state.reasons, left)), LEFT, now)


def _hurry(state: State, now: float) -> Step:
    return _end(state, state.outcome, now)


def _stay(state: State, _now: float) -> Step:
    return state, ()


_INTERRUPTED: Mapping[str, Callable[[State, float], Step]] = {
    "asking": _stop_waiting,
    "deciding": _stop_waiting,
    "queueing": _stop_waiting,
    "leaving": _hurry,
    "preparing": _cancel_when_prepared,
    "arming": _cancel,
    "starting": _leave,
    "following": _leave,
    "withdrawing": _hurry,
    "ended": _stay,
}


# Following: each worker by itself, until all are over.


def _follow_all(state: State, now: float) -> Step:
    watches = {member: Watch(heard_at=now) for member in state.members}
    state = replace(_at(state, "following", now), watches=watches, answers={}, tries={})
    return state, tuple(_follow(state, member, now) for member in state.members)


def _follow(state: State, member: Member, at: float) -> Call:
    watch = state.watches[member]
    return _call(state, member, "follow", at, after_seq=watch.seq, wait=watch.wait)


def _watch(state: State, observation: Heard | Unheard, now: float) -> Step:
    member, before = observation.member, state.watches[observation.member]
    if before.over:
        return state, ()
    if _is_endless(state, now):
        endless = OutOfSight.reason(f"no end of the probe was told within {units.span(PATIENCE)}")
        return _withdraw(replace(state, reasons=(*state.reasons, endless)), now, GIVEN_UP)
    if isinstance(observation, Unheard):
        return _missed(state, member, observation.trouble, now)
    try:
        if reason := planning.error_in(member, observation.payload):
            return _over(state, member, before, reason, (), now)
        status = Status.from_payload(observation.payload, member.host)
    except BadAnswer as trouble:
        return _missed(state, member, trouble, now)
    return _learned(state, member, status, now)


def _is_endless(state: State, now: float) -> bool:
    """Whether this is a probe that should have been over long ago. A transfer takes as long as it takes."""
    return state.plan is not None and state.plan.is_probe and now - state.began["following"] > PATIENCE


def _learned(state: State, member: Member, status: Status, now: float) -> Step:
    before = state.watches[member]
    after = replace(before, heard_at=now, status=status, doubted=False, wait=_next_wait(state, before, status))
    told = _news(member, before, after)
    if status.verdict:
        return _over(state, member, after, None, told, now)
    if not status.alive:
        return _doubt(state, member, before, after, told, now)
    state = replace(state, watches={**state.watches, member: after})
    return state, (*told, *_remind(state, member, now), _follow(state, member, now))


def _next_wait(state: State, before: Watch, status: Status) -> float:
    """News are told at once. Who watches wants to see something move besides: soon after news, then less often."""
    if state.request.settings.quiet:
        return LONGEST_WAIT
    return FIRST_WAIT if status.phase != before.phase else min(before.wait * 2, WATCHED_WAIT)


def _remind(state: State, member: Member, now: float) -> tuple[Action, ...]:
    """A source that still waits has not heard `go`."""
    unstarted = not state.spectator and member.role == SOURCE and state.watches[member].phase in UNSTARTED
    return (_call(state, member, "go", now),) if unstarted else ()


def _doubt(state: State, member: Member, before: Watch, after: Watch, told: tuple[Action, ...], now: float) -> Step:
    """A worker that is gone may have left its verdict a moment ago, so it counts as lost when it is gone twice."""
    if before.doubted:
        gone = WorkerGone.reason(f"{member}: the worker ended without a verdict; was it killed, or {member} rebooted?")
        return _over(state, member, after, gone, told, now)
    state = replace(state, watches={**state.watches, member: replace(after, doubted=True, wait=0.0)})
    return state, (*told, _follow(state, member, now))


def _missed(state: State, member: Member, trouble: PlanError, now: float) -> Step:
    watch = state.watches[member]
    patience = max(PATIENCE, state.request.settings.stall_timeout)
    if now - watch.heard_at > patience:
        silence = units.span(now - watch.heard_at)
        lost = OutOfSight.reason(f"{trouble.text} (not heard of for {silence}; the transfer may go on)")
        return _over(state, member, watch, lost, (), now)
    watch = replace(watch, wait=min(watch.wait * 2 or FIRST_WAIT, LONGEST_WAIT))
    state = replace(state, watches={**state.watches, member: watch})
    return state, (_follow(state, member, now + watch.wait),)


def _over(
    state: State, member: Member, watch: Watch, reason: Reason | None, told: tuple[Action, ...], now: float
) -> Step:
    watches = {**state.watches, member: replace(watch, over=True)}
    state = replace(state, watches=watches, reasons=state.reasons + ((reason,) if reason else ()))
    if all(each.over for each in watches.values()):
        state, _ = _end(state, FOLLOWED, now)
        return state, told
    stopped = _waiting_in_vain(state, member)
    state = replace(state, stopped=state.stopped + stopped)
    return state, told + tuple(_call(state, each, "cancel", now) for each in stopped)


def _waiting_in_vain(state: State, member: Member) -> tuple[Member, ...]:
    """Whom to stop at once because an end failed before bytes moved; they would only wait for their lease."""
    if state.spectator or not _failed_early(state.watches[member]):
        return ()
    waiting = [each for each, watch in state.watches.items() if not watch.over]
    if member.role != SOURCE and any(each.role != SOURCE for each in waiting):
        return ()  # the others are served without it
    return tuple(each for each in waiting if each not in state.stopped)


def _failed_early(ended: Watch) -> bool:
    verdict = ended.status.verdict if ended.status else None
    return bool(ended.status and verdict and verdict.result == FAILED and "moving" not in ended.status.phases)


def _news(member: Member, before: Watch, after: Watch) -> tuple[Action, ...]:
    """The events that a new status is worth."""
    assert after.status, "news comes with a status"
    who = {"host": member.host, "role": member.role, "phase": after.phase}
    told: list[Action] = []
    if after.phase != before.phase:
        told.append(Tell("phase", who))
    if not before.status or before.status.progress != after.status.progress:
        told.append(Tell("progress", {**who, **asdict(after.status.progress)}))
    told += [Tell("pinhole", {**each, **who}) for each in after.status.events if each.get("what") == "pinhole"]
    return tuple(told)
