"""A fleet in memory, its minions tables of Python functions, and what every fleet must do, this one or the real one."""

from __future__ import annotations

import secrets
import time
from collections import deque

from saltface import Answer, Question
from transferplan import errors


class FakeFleet:
    """Answers like saltface.Fleet, at once and in the order of the questions.

    `minions` maps a minion id to its functions; a function that returns SILENT leaves the question without an answer.
    """

    SILENT = object()

    def __init__(self, minions):
        self.minions = minions
        self.told = []
        self._answers = deque()
        self._skipped = 0.0

    def now(self):
        return time.monotonic() + self._skipped

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._answers.clear()

    def ask(self, questions):
        self.send(questions)
        return dict(self.answers())

    def send(self, questions):
        self._answers.extend((key, self._answer(question)) for key, question in questions.items())

    def answers(self, until=float("inf")):
        while self._answers:
            yield self._answers.popleft()
        if until < float("inf"):
            self._skipped += max(0.0, until - self.now())

    def tell(self, tag, data):
        self.told.append((tag, data))

    def _answer(self, question):
        try:
            return Answer(question.host, self._run(question))
        except errors.PlanError as trouble:
            return Answer(question.host, trouble=trouble)

    def _run(self, question):
        if question.host not in self.minions:
            raise errors.MinionSilent(f"{question.host} is no minion")
        function = self.minions[question.host].get(question.function)
        if function is None:
            raise errors.MinionTrouble(f"{question.host} does not know {question.function}")
        nonce = secrets.token_hex(16)
        returned = _called(question, function, nonce)
        if returned is self.SILENT:
            raise errors.MinionSilent(f"{question.host} does not answer")
        return question.believe(nonce, returned)


def _called(question, function, nonce):
    try:
        return function(**question.arguments, nonce=nonce)
    except Exception as error:
        raise errors.MinionTrouble(f"{question.host} could not run {question.function}: {error}") from error


class FleetConformance:
    """What the story of a transfer may rely on. Subclasses give a fixture `fleet` with minions alpha and beta,
    on which `test.kwarg` returns its arguments and `test.exception` raises its `message`."""

    def question(self, host, function="test.kwarg", believe=None, **arguments):
        return Question(host, function, arguments, believe or believe_if_nonce_is_mine, timeout=20)

    def test_each_minion_gets_its_own_arguments(self, fleet):
        answers = fleet.ask({"here": self.question("alpha", a=1), "there": self.question("beta", a=[2, {"b": None}])})
        assert {key: answer.payload["a"] for key, answer in answers.items()} == {"here": 1, "there": [2, {"b": None}]}
        assert {key: answer.host for key, answer in answers.items()} == {"here": "alpha", "there": "beta"}

    def test_one_minion_can_be_asked_twice_at_once(self, fleet):
        answers = fleet.ask({key: self.question("alpha", which=key) for key in ("source", "destination")})
        assert {key: answer.payload["which"] for key, answer in answers.items()} == {
            "source": "source",
            "destination": "destination",
        }

    def test_a_minion_that_nobody_accepted_is_told_as_such(self, fleet):
        answers = fleet.ask({"no": self.question("zorro"), "yes": self.question("alpha", a=1)})
        assert answers["yes"].payload["a"] == 1
        assert answers["no"].trouble.name == "minion-silent"
        assert "zorro is no minion" in answers["no"].trouble.text

    def test_a_name_that_is_a_path_is_no_minion(self, fleet):
        answers = fleet.ask({"no": self.question("../minions/alpha")})
        assert "is no minion" in answers["no"].trouble.text

    def test_a_function_that_is_not_there_names_host_and_function(self, fleet):
        answer = fleet.ask({0: self.question("beta", "transfer.levitate")})[0]
        assert answer.trouble.name == "minion-trouble"
        assert "beta does not know transfer.levitate" in answer.trouble.text

    def test_a_function_that_raises_is_told_with_its_words(self, fleet):
        answer = fleet.ask({0: self.question("beta", "test.exception", message="no luck today")})[0]
        assert answer.trouble.name == "minion-trouble"
        assert "beta could not run test.exception" in answer.trouble.text
        assert "\n" not in answer.trouble.text

    def test_what_is_not_believed_is_no_answer(self, fleet):
        def never(nonce, returned):
            raise errors.BadAnswer("I do not believe a word")

        answers = fleet.ask({0: self.question("alpha", believe=never), 1: self.question("beta", a=1)})
        assert (answers[0].payload, answers[0].trouble.text) == (None, "I do not believe a word")
        assert answers[1].payload["a"] == 1

    def test_answers_can_be_taken_one_by_one_and_followed_by_new_questions(self, fleet):
        fleet.send({"first": self.question("alpha", a=1)})
        seen = []
        for key, answer in fleet.answers():
            seen.append((key, answer.payload["a"]))
            if key == "first":
                fleet.send({"second": self.question("beta", a=2)})
        assert seen == [("first", 1), ("second", 2)]

    def test_without_questions_time_passes(self, fleet):
        until = fleet.now() + 0.3
        assert list(fleet.answers(until)) == []
        assert fleet.now() >= until


def believe_if_nonce_is_mine(nonce, returned):
    if returned.get("nonce") != nonce:
        raise errors.StatementMismatch("this answers another question")
    return returned
