"""Drives courses to their ends: carries out what a course decides and tells it what came of it.

All waiting is here, all deciding in `transferplan.course`.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import saltface
from datamover.errors import LocalError
from transferplan import again, course, display, errors, events, probing, report
from transferplan import plan as planning
from transferplan.forecast import Probed
from transferplan.request import Request

from .asking import believe, ending
from .waiting import Place

PATIENCE = 5.0
GLANCE = 0.5

log = logging.getLogger(__name__)


class Drive:
    """One course under way, from what began it. One that `heeds` others ends when it has `met` some at its place.
    One that may wait has a `place`, which is kept for the next runner. One that is `part` of what was planned and said
    together says no plan again.
    """

    def __init__(
        self, opts: Mapping, begun: course.Step, screen: Any, dry=False, mute=False, heeds=False,
        place: Place | None = None, part=False,
    ):
        self._opts = opts
        self._screen = screen
        self._dry = dry
        self._mute = mute or dry
        self._heeds = heeds
        self._part = part
        self.place = place
        self.met: tuple[str, ...] = ()
        self.facts: Mapping = {}
        self.plan: planning.Plan | None = None
        self._calls: list[tuple[float, int, course.Call]] = []
        self._serial = itertools.count(1)
        self._events = itertools.count(1)
        self._paces: Mapping = {}
        self._finished = False
        self.interrupted = False
        self.state, actions = begun
        self._due = list(actions)

    @property
    def over(self) -> bool:
        return self.state.ended or self._plan_is_all or bool(self.met)

    @property
    def _plan_is_all(self) -> bool:
        return self._dry and self.plan is not None and not self.state.ended

    @property
    def probes(self) -> bool:
        """Whether the ways of the plan are still to be probed before it is told."""
        wanted = self._plan_is_all and self.state.request.settings.probe
        return bool(wanted and self.plan and not self.plan.probes)

    def probe(self, fleet: saltface.Fleet, signals: saltface.Signals) -> None:
        """Probe the ways of the plan, one after the other, and tell the plan."""
        assert self.plan, "it was made"
        told: list[Probed] = []
        for way in probing.plans(self.plan):
            self._screen.show(f"probing the way from {way.source.member} to {way.hops[0].member}")
            one = Drive(self._opts, course.probe(way, fleet.now()), saltface.Silence(), mute=True)
            steer([one], fleet, signals)
            told.append(probing.found(one.state))
            if one.interrupted:
                self.interrupt(fleet.now())
                self._screen.say(display.result_lines(self.result()))
                return
        self.plan = probing.probed(self.plan, told)
        self._screen.say(display.plan_lines(self.plan.summary()))

    @property
    def due_at(self) -> float:
        """When the next call becomes due."""
        return self._calls[0][0] if self._calls else saltface.NEVER

    def interrupt(self, now: float, by_hand: bool = True) -> None:
        """Somebody wants us to end; the course says what is to be done about it."""
        self.interrupted = True
        stays = self.place is not None and not (by_hand and self.place.ours)
        self._observe(course.Interrupted(stays), now)

    def abandon(self, now: float) -> None:
        """Something failed us in the middle of a step: what is under way will never be heard of."""
        self._due, self._calls = [], []
        stage = self.state.stage
        self._observe(course.Interrupted(), now)
        if self.state.stage == stage:
            self._observe(course.Interrupted(), now)

    def result(self) -> dict[str, Any]:
        """What the runner returns."""
        return _planned(self.plan) if self._plan_is_all else report.result(self.state)

    def told(self) -> dict[str, Any]:
        """The same, known as what people have seen if they have."""
        return self._screen.shown(self.result())

    # what the course wants

    def act(self, fleet: saltface.Fleet) -> None:
        if self.place and self.state.waits and self.place.given_up:
            self._observe(course.Interrupted(), fleet.now())
        while self._due:
            self._carry_out(fleet, self._due.pop(0))
        self._put_questions(fleet)
        if self.over and not self._finished:
            self._finish(fleet)

    def _carry_out(self, fleet: saltface.Fleet, action: course.Action) -> None:
        if isinstance(action, course.Tell):
            self._tell(fleet, action.what, action.details)
        elif isinstance(action, course.Decide):
            self._decide(action.answers, fleet.now())
        else:
            heapq.heappush(self._calls, (action.at, next(self._serial), action))

    def _decide(self, answers: Mapping, now: float) -> None:
        self.facts = answers
        self.met = again.met(self.state.request, answers) if self._heeds else ()
        if self.met:
            return
        try:
            self.plan = planning.make(self.state.request, answers)
        except errors.Refused as refused:
            self._observe(course.Declined(refused.reasons, final=self._dry), now)
            return
        if not self.probes:
            lines = display.part_lines if self._part else display.plan_lines
            self._screen.say(lines(self.plan.summary()))
        if not self._dry:
            self._observe(course.Decided(self.plan), now)

    def _put_questions(self, fleet: saltface.Fleet) -> None:
        """Make the calls whose time has come."""
        questions = {}
        while self._calls and self._calls[0][0] <= fleet.now():
            _, serial, call = heapq.heappop(self._calls)
            questions[self, call.member, call.function, serial] = self._question(call)
        fleet.send(questions)

    def _question(self, call: course.Call) -> saltface.Question:
        request = self.state.request
        believed = believe(self._opts, call.member, request.transfer, request.attempt)
        patience = PATIENCE + call.arguments.get("wait", 0.0)
        return saltface.Question(
            call.member.host, f"transfer.{call.function}", call.arguments, believed, call.timeout, patience
        )

    # what came of it

    def hear(self, member: Any, function: str, answer: saltface.Answer, now: float) -> None:
        if answer.trouble and function != "facts":  # a refusal that tells of it comes at once
            self._screen.show(answer.trouble.text)
        self._observe(_heard(member, function, answer), now)

    def _observe(self, observation: course.Observation, now: float) -> None:
        self.state, actions = course.step(self.state, observation, now)
        self._due += actions
        if self.place:
            self.place.keep(self.state)

    # who is told

    def _tell(self, fleet: saltface.Fleet, what: str, details: Mapping[str, Any]) -> None:
        request = self.state.request
        if not self._mute:
            event = events.make(request.transfer, next(self._events), what, details, request.attempt)
            fleet.tell(event.tag, event.data)
        if what == "progress":
            self._paces = display.measure(self.state.statuses, self._paces, self.state.heard_at)
            level = request.settings.verify
            self._screen.show(*display.progress_lines(self.state.statuses, self._paces, self._streams, level))
        elif what == "queued":
            self._screen.show(display.queue_line(details))
        elif request.settings.verbose:
            self._screen.say([display.event_line(what, details)])

    @property
    def _streams(self) -> int:
        """How many connections carry the data: as planned, or as the ends of what is attached to recorded it."""
        asked = self.plan.streams if self.plan else self.state.request.settings.streams
        return asked if isinstance(asked, int) else 1

    def _finish(self, fleet: saltface.Fleet) -> None:
        self._finished = True
        result = self.result()
        if self.state.ended:
            self._tell(fleet, "finished", report.brief(result))
            self._screen.say(display.result_lines(result, noted=self.place is not None))


def begun(request: Request, place: Place | None = None) -> course.Step:
    """The course of a request, now; of one that has waited before, at its place."""
    now, wait = time.time(), place and place.wait
    asked_at = wait.asked_at if wait else request.asked_at or now
    waited = wait.lasted(now) if wait else None
    return course.begin(replace(request, asked_at=asked_at), time.monotonic(), waited)


def _planned(plan: Any) -> dict[str, Any]:
    """What a run that stops before the first change returns."""
    return {
        "transfer": plan.transfer,
        "result": "planned",
        "plan": plan.summary(),
        "reasons": [probed.reason.as_dict() for probed in plan.probes if probed.reason],
        "retcode": report.RETCODES["ok"],
    }


def _heard(member: Any, function: str, answer: saltface.Answer) -> course.Observation:
    if answer.trouble:
        return course.Unheard(member, function, answer.trouble)
    return course.Heard(member, function, answer.payload)


def steer(drives: Sequence[Drive], fleet: saltface.Fleet, signals: saltface.Signals) -> None:
    """Drive them all to their ends, side by side."""
    for each in drives:
        each.act(fleet)
    while under_way := [each for each in drives if not each.over]:
        # Asked between two steps, when all that the courses count as said has really been said.
        if number := signals.take():
            for each in under_way:
                each.interrupt(fleet.now(), by_hand=number == signal.SIGINT)
        else:
            _listen(fleet, min(each.due_at for each in under_way))
        for each in under_way:
            each.act(fleet)


def _listen(fleet: saltface.Fleet, due_at: float) -> None:
    """Hear one answer, or nothing for a moment: calls become due, and signals want to be seen."""
    for (drive, member, function, _), answer in fleet.answers(min(fleet.now() + GLANCE, due_at)):
        return drive.hear(member, function, answer, fleet.now())


def to_the_end(opts: Mapping, drive: Drive) -> dict[str, Any]:
    """Drive to the end and tell the result. A bug on the way is told; what was begun is undone then, or goes on."""
    with saltface.Signals() as signals:
        try:
            with saltface.Fleet(opts) as fleet:
                steer([drive], fleet, signals)
                if drive.probes:
                    drive.probe(fleet, signals)
        except Exception as error:
            reason = bug(error)
            if not drive.over or drive.probes:
                with saltface.Fleet(opts) as fleet:
                    drive.abandon(fleet.now())
                    steer([drive], fleet, signals)
                return _with_bug(drive.result(), reason)
    return drive.told()


def bug(error: Exception) -> errors.Reason:
    """The reason that stands for an error which nobody foresaw; called where it is caught."""
    log.exception("This is a bug of salt-transfer")
    return errors.Reason(LocalError.code, LocalError.name, f"a bug: {error!r}; the traceback is in the master's log")


def _with_bug(result: Mapping[str, Any], reason: errors.Reason) -> dict[str, Any]:
    word = "unknown" if result["result"] == "unknown" else "failed"
    return {**result, **ending(word, []), "reasons": [reason.as_dict(), *result["reasons"]]}
