"""The course of a transfer, as scenarios: what is observed when, and what the runner does about it."""

from dataclasses import replace

import pytest

from transferplan import course, errors, plan
from transferplan.course import Call, Decide, Decided, Declined, Heard, Interrupted, Tell, Unheard
from transferplan.request import Member

from .samples import ALPHA, BETA, GIB, TRANSFER, alpha, asked, beta, destination, failure, status, verdict

PREPARED = {
    ALPHA: {"certificate": "A", "port": None, "addresses": {}},
    BETA: {"certificate": "B", "port": 4401, "addresses": {}},
}
ARMED = {ALPHA: {"phase": "armed"}, BETA: {"phase": "armed"}}
BROKEN = {"error": {"code": 60, "name": "protocol-error", "retryable": False, "text": "it broke", "evidence": {}}}
SILENT = errors.MinionSilent("nobody there")
FORGED = errors.StatementMismatch("not signed by alpha")
STAGES = ("asking", "deciding", "preparing", "arming", "starting", "following")


class Driver:
    """Steps through a course as the runner does, at a clock of its own."""

    def __init__(self, request=None, waited=None):
        self.now = 0.0
        self.told = []
        self._take(course.begin(request or asked(), self.now, waited))

    def _take(self, step):
        self.state, actions = step
        self.calls = [action for action in actions if isinstance(action, Call)]
        self.told += [(action.what, action.details) for action in actions if isinstance(action, Tell)]
        self.decide = next((action for action in actions if isinstance(action, Decide)), None)

    def observe(self, observation, after=0.0):
        self.now += after
        self._take(course.step(self.state, observation, self.now))
        return self

    def hear(self, function, payloads, after=0.0):
        for member, payload in payloads.items():
            self.observe(Heard(member, function, payload), after)
        return self

    def miss(self, function, member, trouble=SILENT, after=0.0):
        return self.observe(Unheard(member, function, trouble), after)

    def until(self, stage):
        """All goes well up to this stage."""
        steps = (
            lambda: self.hear("facts", {ALPHA: alpha(), BETA: beta()}),
            lambda: self.observe(Decided(plan.make(self.state.request, self.decide.answers))),
            lambda: self.hear("prepare", PREPARED),
            lambda: self.hear("arm", ARMED),
            lambda: self.hear("go", {ALPHA: {"phase": "connecting"}}),
        )
        for play in steps[: STAGES.index(stage)]:
            play()
        assert self.state.stage == stage
        return self

    @property
    def asks(self):
        """(host, function) of the calls that the last observation brought."""
        return [(call.member.host, call.function) for call in self.calls]

    @property
    def reasons(self):
        return [(reason.name, reason.text) for reason in self.state.reasons]


@pytest.mark.parametrize(
    "stage, asks",
    [
        ("asking", [("alpha", "facts"), ("beta", "facts")]),
        ("deciding", []),
        ("preparing", [("alpha", "prepare"), ("beta", "prepare")]),
        ("arming", [("alpha", "arm"), ("beta", "arm")]),
        ("starting", [("alpha", "go")]),
        ("following", [("alpha", "follow"), ("beta", "follow")]),
    ],
)
def test_each_stage_asks_whom_it_concerns(stage, asks):
    assert Driver().until(stage).asks == asks


def test_each_call_carries_what_its_function_takes():
    driver = Driver()
    seen = {}
    for stage in STAGES:
        driver.__init__()
        driver.until(stage)
        seen.update({(call.member, call.function): call.arguments for call in driver.calls})
    assert seen[BETA, "facts"]["ask"]["path"] == "/srv/data"
    assert seen[BETA, "prepare"]["spec"]["role"] == "destination"
    assert seen[ALPHA, "arm"]["roster"]["members"][1]["port"] == 4401
    assert seen[ALPHA, "go"] == {"transfer": TRANSFER, "role": "source", "attempt": 1}
    ours = {"transfer": TRANSFER, "role": "destination", "attempt": 1}
    assert seen[BETA, "follow"] == {**ours, "after_seq": 0, "wait": 1.0}


def test_a_stage_waits_for_everybody():
    driver = Driver().until("preparing").hear("prepare", {BETA: PREPARED[BETA]})
    assert (driver.state.stage, driver.asks) == ("preparing", [])


def test_a_late_answer_of_an_earlier_stage_changes_nothing():
    driver = Driver().until("arming")
    before = driver.state
    assert driver.hear("prepare", {ALPHA: BROKEN}).state == before
    assert driver.hear("follow", {ALPHA: status(ALPHA)}).state == before


# Facts are never asked for twice: whoever is silent is a reason in the refusal.


def test_the_decision_gets_what_was_heard_and_what_was_not():
    driver = Driver().hear("facts", {BETA: beta()}).miss("facts", ALPHA)
    assert driver.decide.answers == {ALPHA: SILENT, BETA: beta()}


def test_a_refusal_ends_it_and_nobody_is_asked_for_anything():
    reason = errors.NoSpace.reason("beta:/srv is full")
    driver = Driver().until("deciding").observe(Declined((reason,)))
    assert (driver.state.ended, driver.state.outcome, driver.state.reasons) == (True, "refused", (reason,))
    assert driver.asks == []
    assert driver.told[-1] == ("refused", {"reasons": [reason.as_dict()]})


# Before `go`: trouble withdraws.


@pytest.mark.parametrize("stage, function, good", [("preparing", "prepare", PREPARED), ("arming", "arm", ARMED)])
def test_silence_is_met_once_with_the_same_call(stage, function, good):
    driver = Driver().until(stage).miss(function, BETA)
    assert driver.asks == [("beta", function)]
    driver.hear(function, good)
    assert driver.state.stage == STAGES[STAGES.index(stage) + 1]


@pytest.mark.parametrize("stage, function, good", [("preparing", "prepare", PREPARED), ("arming", "arm", ARMED)])
def test_silence_twice_gives_the_transfer_up(stage, function, good):
    driver = Driver().until(stage).miss(function, BETA).miss(function, BETA).hear(function, {ALPHA: good[ALPHA]})
    assert driver.state.stage == "withdrawing"
    assert driver.asks == [("alpha", "cancel"), ("beta", "cancel")]
    driver.hear("cancel", {ALPHA: {"phase": "cancelled"}, BETA: {"phase": "cancelled"}})
    assert (driver.state.ended, driver.state.outcome) == (True, "given up")
    assert driver.reasons == [("minion-silent", "nobody there")]


def test_errors_of_all_hosts_are_told_together():
    driver = Driver().until("preparing").hear("prepare", {ALPHA: BROKEN, BETA: BROKEN})
    assert driver.reasons == [("protocol-error", "alpha: it broke"), ("protocol-error", "beta: it broke")]
    assert driver.state.stage == "withdrawing"


def test_what_is_not_signed_gives_the_transfer_up_without_another_try():
    driver = Driver().until("preparing").miss("prepare", ALPHA, FORGED).hear("prepare", {BETA: PREPARED[BETA]})
    assert driver.state.stage == "withdrawing"
    assert driver.reasons == [("statement-mismatch", "not signed by alpha")]


@pytest.mark.parametrize("answer", [{"certificate": "B"}, {"port": 1}, [], None, {"error": 7}])
def test_an_answer_that_makes_no_roster_gives_the_transfer_up(answer):
    driver = Driver().until("preparing").hear("prepare", {ALPHA: PREPARED[ALPHA], BETA: answer})
    assert driver.state.stage == "withdrawing"
    assert [name for name, _ in driver.reasons] == ["bad-answer"]


def test_a_host_that_cannot_be_told_to_withdraw_is_named_beside_the_first_trouble():
    driver = Driver().until("arming").hear("arm", {ALPHA: BROKEN, BETA: ARMED[BETA]})
    driver.miss("cancel", BETA).hear("cancel", {ALPHA: {"phase": "cancelled"}})
    assert driver.state.ended
    assert driver.reasons == [
        ("protocol-error", "alpha: it broke"),
        (
            "never-began",
            "nobody there (while withdrawing: what was prepared there undoes itself within 30 s)",
        ),
    ]


def test_a_source_that_refuses_to_begin_gives_the_transfer_up():
    driver = Driver().until("starting").hear("go", {ALPHA: BROKEN})
    assert (driver.state.stage, driver.state.outcome) == ("withdrawing", "given up")


# After `go`: the runner only watches.


def test_a_source_that_does_not_answer_to_go_may_have_heard_it():
    driver = Driver().until("starting").miss("go", ALPHA).miss("go", ALPHA)
    assert (driver.state.stage, driver.state.reasons) == ("following", ())


@pytest.mark.parametrize(
    "phase, reminded", [("prepared", True), ("armed", True), ("connecting", False), ("moving", False)]
)
def test_a_source_that_has_not_begun_is_told_again(phase, reminded):
    driver = Driver().until("following").hear("follow", {ALPHA: status(ALPHA, phase)})
    assert (("alpha", "go") in driver.asks) is reminded
    assert ("alpha", "follow") in driver.asks
    assert ("beta", "go") not in driver.hear("follow", {BETA: status(BETA, phase)}).asks


def waits(request, phases):
    """How long each follow may take that comes after a status with this phase."""
    driver = Driver(request).until("following")
    return [driver.hear("follow", {BETA: status(BETA, phase)}).calls[-1].arguments["wait"] for phase in phases]


def test_who_watches_is_told_often():
    assert waits(asked(), ["moving"] * 5) == [1, 2, 4, 4, 4]


def test_in_quiet_the_minions_are_asked_for_news_alone():
    """They answer at once when there are some."""
    assert waits(asked(quiet=True), ["moving", "moving", "verifying"]) == [20, 20, 20]


def test_news_brings_the_short_wait_back():
    assert waits(asked(), ["moving", "moving", "moving", "verifying", "verifying"]) == [1, 2, 4, 1, 2]


def test_a_follow_begins_after_what_was_seen_and_may_take_its_wait_longer():
    (call,) = Driver().until("following").hear("follow", {BETA: status(BETA, seq=41)}).calls
    assert call.arguments["after_seq"] == 41
    assert call.timeout == 15 + call.arguments["wait"]


def test_both_verdicts_end_it():
    driver = Driver().until("following").hear("follow", {ALPHA: status(ALPHA, verdict=verdict())}, after=1)
    assert (driver.state.stage, driver.asks) == ("following", [])
    driver.hear("follow", {BETA: status(BETA, verdict=verdict())}, after=1)
    assert (driver.state.ended, driver.state.outcome) == (True, "followed")
    assert driver.state.statuses[BETA].verdict.bytes == 10 * GIB


def test_a_failure_of_one_end_waits_for_the_verdict_of_the_other():
    driver = Driver().until("following").hear("follow", {ALPHA: status(ALPHA, verdict=failure())})
    assert not driver.state.ended
    driver.hear("follow", {BETA: status(BETA)})
    assert driver.asks == [("beta", "follow")]


def test_a_silent_minion_is_asked_again_after_a_while_and_stops_nothing():
    driver = Driver().until("following").miss("follow", BETA, after=10)
    (call,) = driver.calls
    assert (call.member, call.function, call.at) == (BETA, "follow", 12.0)
    assert driver.state.stage == "following"
    driver.miss("follow", BETA, after=10)
    assert driver.calls[0].at == 24.0


@pytest.mark.parametrize("trouble", [SILENT, FORGED])
def test_a_minion_that_is_long_out_of_sight_is_given_up_watching(trouble):
    driver = Driver().until("following").hear("follow", {ALPHA: status(ALPHA, verdict=verdict())})
    driver.miss("follow", BETA, trouble, after=299)
    assert not driver.state.ended
    driver.miss("follow", BETA, trouble, after=2)
    assert driver.state.ended
    ((name, text),) = driver.reasons
    assert name == "out-of-sight"
    assert text == f"{trouble.text} (not heard of for 5 min 01 s; the transfer may go on)"


def test_being_heard_of_makes_patience_new():
    driver = Driver().until("following")
    for _ in range(4):
        driver.miss("follow", BETA, after=200).hear("follow", {BETA: status(BETA)}, after=50)
    assert not driver.state.watches[BETA].over


def test_a_status_of_another_form_is_as_good_as_none():
    driver = Driver().until("following").hear("follow", {BETA: {"phase": "moving"}})
    assert driver.asks == [("beta", "follow")]
    assert driver.state.statuses == {}


def test_a_worker_that_is_gone_is_asked_for_once_more_for_its_verdict():
    gone = status(BETA, alive=False)
    driver = Driver().until("following").hear("follow", {BETA: gone})
    assert driver.calls[0].arguments["wait"] == 0
    driver.hear("follow", {BETA: status(BETA, verdict=verdict())})
    assert driver.reasons == []


def test_a_worker_that_is_gone_twice_is_lost():
    gone = status(BETA, alive=False)
    driver = Driver().until("following").hear("follow", {BETA: gone}).hear("follow", {BETA: gone})
    assert driver.state.watches[BETA].over
    assert driver.reasons == [
        ("worker-gone", "beta: the worker ended without a verdict; was it killed, or beta rebooted?")
    ]


def test_a_minion_that_knows_of_no_such_transfer_is_believed():
    driver = Driver().until("following").hear("follow", {BETA: BROKEN})
    assert driver.state.watches[BETA].over
    assert driver.reasons == [("protocol-error", "beta: it broke")]


def test_an_answer_after_the_verdict_changes_nothing():
    driver = Driver().until("following").hear("follow", {BETA: status(BETA, verdict=verdict())})
    before = driver.state
    assert driver.hear("follow", {BETA: status(BETA)}).state == before


def failed_before_data(member):
    return status(member, verdict=failure(91, "peer-unreachable", "no way to 4401"), phases={"prepared": 0.0})


def test_when_an_end_fails_before_bytes_move_the_other_is_stopped_and_watched_to_its_end():
    driver = Driver().until("following").hear("follow", {ALPHA: failed_before_data(ALPHA)})
    assert driver.asks == [("beta", "cancel")]
    assert driver.hear("cancel", {BETA: {"phase": "cancelled"}}).asks == []
    stopped = status(BETA, verdict=verdict(result="cancelled", error=failure(97, "cancelled", "stopped")["error"]))
    assert driver.hear("follow", {BETA: stopped}).state.ended


@pytest.mark.parametrize("ended", [failure(), verdict()])
def test_once_bytes_moved_an_end_that_is_over_stops_nobody(ended):
    assert Driver().until("following").hear("follow", {ALPHA: status(ALPHA, verdict=ended)}).asks == []


# The runner's own end.


@pytest.mark.parametrize(
    "stage, then, outcome, asks",
    [
        ("asking", "ended", "cancelled", []),
        ("deciding", "ended", "cancelled", []),
        ("preparing", "preparing", "cancelled", []),
        ("arming", "withdrawing", "cancelled", [("alpha", "cancel"), ("beta", "cancel")]),
        ("starting", "ended", "left", []),
        ("following", "ended", "left", []),
    ],
)
def test_an_interruption_undoes_what_has_not_begun_and_leaves_what_has(stage, then, outcome, asks):
    driver = Driver().until(stage).observe(Interrupted())
    assert (driver.state.stage, driver.state.outcome, driver.asks) == (then, outcome, asks)


def test_a_worker_that_is_just_being_made_is_cancelled_when_it_is_there():
    driver = Driver().until("preparing").observe(Interrupted()).hear("prepare", {ALPHA: PREPARED[ALPHA]})
    assert (driver.state.stage, driver.asks) == ("preparing", [])
    driver.hear("prepare", {BETA: BROKEN})
    assert (driver.state.stage, driver.state.outcome) == ("withdrawing", "cancelled")
    assert driver.asks == [("alpha", "cancel"), ("beta", "cancel")]


def test_a_second_interruption_leaves_a_worker_that_is_being_made_to_its_lease():
    driver = Driver().until("preparing").observe(Interrupted()).observe(Interrupted())
    assert (driver.state.stage, driver.state.outcome) == ("withdrawing", "cancelled")


def test_where_nothing_was_prepared_there_is_nothing_to_undo():
    unknown = {"error": {**BROKEN["error"], "name": course.NOTHING_THERE}}
    driver = Driver().until("preparing").hear("prepare", {ALPHA: PREPARED[ALPHA], BETA: BROKEN})
    driver.hear("cancel", {ALPHA: {"phase": "cancelled"}, BETA: unknown})
    assert (driver.state.ended, driver.reasons) == (True, [("protocol-error", "beta: it broke")])


def test_what_is_left_running_is_told_with_its_name():
    ((name, text),) = Driver().until("following").observe(Interrupted()).reasons
    assert name == "out-of-sight"
    assert f"salt-run transfer.cancel {TRANSFER}" in text


def test_a_second_interruption_does_not_wait_for_the_undoing():
    driver = Driver().until("arming").observe(Interrupted()).observe(Interrupted())
    assert (driver.state.ended, driver.state.outcome) == (True, "cancelled")


def test_an_interruption_after_the_end_changes_nothing():
    driver = Driver().until("deciding").observe(Declined(()))
    before = driver.state
    assert driver.observe(Interrupted()).state == before


# What is told on the way.


def test_events_tell_the_story():
    driver = Driver().until("following")
    moving = [status(member, "moving", done=GIB) for member in (ALPHA, BETA)]
    driver.hear("follow", dict(zip((ALPHA, BETA), moving, strict=True)))
    driver.hear("follow", {BETA: status(BETA, "moving", done=GIB)})
    assert [(what, details.get("host")) for what, details in driver.told] == [
        ("asked", None),
        ("planned", None),
        ("prepared", "alpha"),
        ("prepared", "beta"),
        ("armed", "alpha"),
        ("armed", "beta"),
        ("started", "alpha"),
        ("phase", "alpha"),
        ("progress", "alpha"),
        ("phase", "beta"),
        ("progress", "beta"),
    ]


def test_only_who_did_it_is_told_to_have_done_it():
    driver = Driver().until("preparing").hear("prepare", {ALPHA: BROKEN, BETA: PREPARED[BETA]})
    assert driver.told[-1] == ("prepared", {"host": "beta", "role": "destination"})


def test_the_times_of_all_stages_are_kept():
    driver = Driver()
    driver.now = 5.0
    driver.until("following")
    assert list(driver.state.began) == list(STAGES)
    assert driver.state.began["following"] == 5.0


def test_both_ends_on_one_host_are_told_apart():
    ends = Member("alpha", "source"), Member("alpha", "destination")
    both = alpha() | {"destination": destination(real="/backup/data")}
    driver = Driver(asked(dst="alpha:/backup/")).hear("facts", dict.fromkeys(ends, both))
    driver.observe(Decided(plan.make(driver.state.request, driver.decide.answers)))
    assert [call.arguments["spec"]["role"] for call in driver.calls] == ["source", "destination"]


# Attempts, and watching what somebody else began.


def second():
    return replace(asked(), attempt=2)


def test_every_call_of_a_later_attempt_names_it():
    driver = Driver(second()).until("arming")
    assert {call.arguments["attempt"] for call in driver.calls} == {2}
    assert driver.state.roster["attempt"] == 2


def test_withdrawing_keeps_what_earlier_attempts_brought():
    for request, keeps in ((asked(), False), (second(), True)):
        driver = Driver(request).until("preparing")
        driver.hear("prepare", {ALPHA: BROKEN, BETA: PREPARED[BETA]})
        assert {(call.function, call.arguments["keep"]) for call in driver.calls} == {("cancel", keeps)}


def test_what_another_runner_prepared_for_the_same_attempt_is_not_withdrawn():
    driver = Driver(second()).until("preparing")
    driver.hear("prepare", {ALPHA: BROKEN, BETA: PREPARED[BETA]})
    assert driver.asks == [("beta", "cancel")]
    driver = Driver(second()).until("preparing")
    driver.hear("prepare", {ALPHA: BROKEN, BETA: {**PREPARED[BETA], "attached": True}})
    assert (driver.asks, driver.state.ended, driver.state.outcome) == ([], True, course.GIVEN_UP)


def test_a_first_attempt_is_withdrawn_everywhere():
    driver = Driver().until("preparing").hear("prepare", {ALPHA: BROKEN, BETA: BROKEN})
    assert driver.asks == [("alpha", "cancel"), ("beta", "cancel")]


class Spectator(Driver):
    def __init__(self, request=None):
        super().__init__()
        self._take(course.attach(request or asked(), self.now))


def test_who_attaches_asks_nothing_but_how_far_it_is():
    spectator = Spectator()
    assert spectator.asks == [("alpha", "follow"), ("beta", "follow")]
    spectator.hear("follow", {ALPHA: status(ALPHA, "armed")})
    assert spectator.asks == [("alpha", "follow")]


def test_who_attaches_stops_nobody():
    spectator = Spectator().hear("follow", {ALPHA: status(ALPHA, verdict=failure(), phases={})})
    assert spectator.asks == []


def test_who_attaches_learns_the_same_verdicts():
    spectator = Spectator()
    for member in (ALPHA, BETA):
        spectator.hear("follow", {member: status(member, verdict=verdict())})
    assert spectator.state.ended and spectator.state.outcome == course.FOLLOWED


def test_who_attaches_may_leave():
    spectator = Spectator().observe(Interrupted())
    assert (spectator.state.outcome, spectator.calls) == (course.LEFT, [])


# Waiting where a host takes part in as many transfers as it may.

CROWD = errors.TooManyTransfers.reason("beta takes part in 1 transfers already")
FULL = errors.NoSpace.reason("beta:/srv is full")


def waiting():
    return Driver(replace(asked(wait="1m"), asked_at=77.0)).until("deciding").observe(Declined((CROWD,)))


def turn(**answers):
    """What both hosts tell of their queues; by default it is our turn."""
    told = {"turn": True, "running": [], "waiting": [], "at": 77.0}
    return {member: {**told, **answers.get(member.host, {})} for member in (ALPHA, BETA)}


BUSY = {"turn": False, "running": ["a" * 32], "waiting": ["b" * 32]}


def test_a_crowd_is_waited_for_where_that_is_asked_for():
    driver = waiting()
    assert (driver.state.stage, driver.asks) == ("queueing", [("alpha", "queue"), ("beta", "queue")])
    arguments = driver.calls[0].arguments
    assert (arguments["at"], arguments["leave"], len(arguments["same"])) == (77.0, False, 64)
    driver = Driver().until("deciding").observe(Declined((CROWD,)))
    assert (driver.state.ended, driver.state.outcome) == (True, course.REFUSED)


@pytest.mark.parametrize("declined", [Declined((CROWD, FULL)), Declined((CROWD,), final=True)])
def test_what_does_not_pass_by_itself_is_not_waited_for(declined):
    driver = Driver(asked(wait="1m")).until("deciding").observe(declined)
    assert (driver.state.ended, driver.state.outcome) == (True, course.REFUSED)


def test_when_it_is_our_turn_everywhere_facts_are_asked_again():
    driver = waiting().hear("queue", turn())
    assert driver.asks == [("alpha", "facts"), ("beta", "facts")]
    driver.hear("facts", {ALPHA: alpha(), BETA: beta()})
    driver.observe(Decided(plan.make(driver.state.request, driver.decide.answers)))
    assert (driver.state.stage, driver.state.reasons) == ("preparing", ())


def test_as_long_as_one_is_busy_all_are_asked_again_after_a_while_and_it_is_told():
    driver = waiting().hear("queue", turn(beta=BUSY))
    assert [(call.function, call.at) for call in driver.calls] == [("queue", course.QUEUE_WAIT)] * 2
    assert driver.told[-1] == ("queued", {"host": "beta", "role": "destination", "running": 1, "waiting": 1})
    driver.told.clear()
    driver.hear("queue", turn(beta=BUSY))
    assert driver.told == []


def test_a_place_that_was_taken_over_is_kept_everywhere():
    driver = waiting().hear("queue", turn(beta={**BUSY, "at": 11.0}))
    assert {call.arguments["at"] for call in driver.calls} == {11.0}


def test_who_is_silent_for_a_moment_costs_nobody_the_place():
    driver = waiting().hear("queue", {ALPHA: turn()[ALPHA]}).miss("queue", BETA)
    assert driver.state.stage == "queueing" and driver.asks == [("alpha", "queue"), ("beta", "queue")]


@pytest.mark.parametrize("waits", [waiting, lambda: Driver(asked(wait="1m"), waited=50.0).until("deciding")])
def test_who_is_silent_when_facts_are_asked_again_costs_nobody_the_place(waits):
    """So it is when the turn comes, and when another runner goes on while minions are just coming back."""
    driver = waits()
    if driver.state.stage == "queueing":
        driver.hear("queue", turn()).hear("facts", {ALPHA: alpha()}).miss("facts", BETA)
    driver.observe(Declined((CROWD, errors.MinionSilent.reason("beta did not answer"))))
    assert driver.state.stage == "queueing" and driver.state.waits


def test_who_is_silent_before_anything_waits_refuses():
    driver = Driver(asked(wait="1m")).until("deciding")
    driver.observe(Declined((CROWD, errors.MinionSilent.reason("beta did not answer"))))
    assert (driver.state.ended, driver.state.outcome) == (True, course.REFUSED)


def test_a_host_that_cannot_queue_refuses():
    driver = waiting().hear("queue", {ALPHA: turn()[ALPHA], BETA: BROKEN})
    assert driver.state.stage == "leaving" and driver.reasons == [("protocol-error", "beta: it broke")]


def test_after_its_time_it_is_refused_and_the_places_are_given_back():
    driver = waiting().hear("queue", {ALPHA: turn()[ALPHA]}).hear("queue", {BETA: BUSY}, after=61)
    assert {call.arguments["leave"] for call in driver.calls} == {True}
    driver.hear("queue", turn())
    assert (driver.state.ended, driver.state.outcome, driver.state.reasons) == (True, course.REFUSED, (CROWD,))


def test_what_else_comes_up_meanwhile_refuses_and_gives_the_places_back():
    driver = waiting().hear("queue", turn()).hear("facts", {ALPHA: alpha(), BETA: beta()}).observe(Declined((FULL,)))
    assert driver.asks == [("alpha", "queue"), ("beta", "queue")]
    driver.miss("queue", ALPHA).hear("queue", {BETA: turn()[BETA]})
    assert (driver.state.ended, driver.state.reasons) == (True, (FULL,))


def test_who_waits_is_known_until_the_source_is_told_to_go():
    driver = Driver(replace(asked(wait="1m"), asked_at=77.0)).until("deciding")
    assert not driver.state.waits
    driver.observe(Declined((CROWD,)))
    assert driver.state.waits
    driver.hear("queue", turn()).hear("facts", {ALPHA: alpha(), BETA: beta()})
    driver.observe(Decided(plan.make(driver.state.request, driver.decide.answers)))
    driver.hear("prepare", PREPARED).hear("arm", ARMED)
    assert (driver.state.stage, driver.state.waits) == ("starting", True)
    driver.hear("go", {ALPHA: {"phase": "connecting"}})
    assert (driver.state.stage, driver.state.waits) == ("following", False)


def test_who_was_refused_or_cancelled_waits_no_more():
    assert not waiting().observe(Interrupted()).state.waits
    assert not waiting().hear("queue", {ALPHA: turn()[ALPHA], BETA: BROKEN}).state.waits


@pytest.mark.parametrize("before", [lambda: waiting(), lambda: waiting().hear("queue", turn())])
def test_a_runner_that_ends_leaves_a_copy_waiting_for_which_somebody_will_go_on(before):
    driver = before().observe(Interrupted(stays=True))
    assert (driver.state.ended, driver.state.outcome, driver.state.waits) == (True, course.WAITS_ON, True)
    ((name, text),) = driver.reasons
    assert name == "out-of-sight" and f"transfer.cancel {driver.state.request.transfer}" in text


def test_a_copy_that_does_not_wait_yet_is_cancelled_whoever_would_go_on():
    driver = Driver(asked(wait="1m")).until("deciding").observe(Interrupted(stays=True))
    assert (driver.state.ended, driver.state.outcome) == (True, course.CANCELLED)


def test_a_copy_whose_runner_died_waits_no_longer_than_it_was_to():
    driver = Driver(asked(wait="1m"), waited=50.0).until("deciding").observe(Declined((CROWD,)))
    assert driver.state.stage == "queueing"
    driver = Driver(asked(wait="1m"), waited=61.0).until("deciding").observe(Declined((CROWD,)))
    assert {call.arguments["leave"] for call in driver.calls} == {True}, "its old places are given back"


def test_who_waits_can_be_interrupted():
    driver = waiting().observe(Interrupted())
    assert {call.arguments["leave"] for call in driver.calls} == {True}
    driver.hear("queue", turn())
    assert (driver.state.ended, driver.state.outcome, driver.reasons) == (True, course.CANCELLED, [])
