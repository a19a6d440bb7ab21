"""The course of a transfer, as scenarios: what is observed when, and what the runner does about it."""

import pytest

from transferplan import course, errors, plan, report
from transferplan.course import Call, Decide, Decided, Heard, Tell

from .samples import ALPHA, BETA, alpha, asked, beta, status, verdict

PREPARED = {
    ALPHA: {"certificate": "A", "port": None, "addresses": {}},
    BETA: {"certificate": "B", "port": 4401, "addresses": {}},
}
SILENT = errors.MinionSilent("nobody there")


class Driver:
    """Steps through a course as the runner does, at a clock of its own."""

    def __init__(self, request=None):
        self.now = 0.0
        self.calls, self.told, self.decide = [], [], None
        self._take(course.begin(request or asked(), self.now))

    def _take(self, step):
        self.state, actions = step
        self.new = [action for action in actions if isinstance(action, Call)]
        self.calls += self.new
        self.told += [action.what for action in actions if isinstance(action, Tell)]
        self.decide = next((action for action in actions if isinstance(action, Decide)), None)

    def observe(self, *observations, after=0.0):
        for observation in observations:
            self.now += after
            self._take(course.step(self.state, observation, self.now))
        return self

    def answer(self, function, payloads, after=0.0):
        return self.observe(*(Heard(member, function, each) for member, each in payloads.items()), after=after)

    def until(self, stage):
        """All goes well up to this stage."""
        rounds = {
            "deciding": lambda: self.answer("facts", {ALPHA: alpha(), BETA: beta()}),
            "preparing": lambda: self.observe(Decided(plan.make(self.state.request, self.decide.answers))),
            "arming": lambda: self.answer("prepare", PREPARED),
            "starting": lambda: self.answer("arm", {ALPHA: {"phase": "armed"}, BETA: {"phase": "armed"}}),
            "following": lambda: self.answer("go", {ALPHA: {"phase": "connecting"}}),
        }
        for name, play in rounds.items():
            if self.state.stage == stage:
                break
            play()
            assert self.state.stage == name
        return self

    def asked_of(self, *, new=True):
        return [(call.member.host, call.function) for call in (self.new if new else self.calls)]


@pytest.mark.parametrize(
    "stage, calls",
    [
        ("asking", [("alpha", "facts"), ("beta", "facts")]),
        ("deciding", []),
        ("preparing", [("alpha", "prepare"), ("beta", "prepare")]),
        ("arming", [("alpha", "arm"), ("beta", "arm")]),
        ("starting", [("alpha", "go")]),
        ("following", [("alpha", "follow"), ("beta", "follow")]),
    ],
)
def test_each_stage_asks_whom_it_concerns(stage, calls):
    driver = Driver().until(stage)
    assert driver.state.stage == stage
    assert driver.asked_of() == calls


def test_two_equal_roots_end_well():
    driver = Driver().until("following")
    driver.answer("follow", {ALPHA: status(ALPHA, verdict=verdict()), BETA: status(BETA, verdict=verdict())})
    told = report.result(driver.state)
    assert (told["result"], told["retcode"], told["receipt"]["proved"]) == ("ok", 0, True)
