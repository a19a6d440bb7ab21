"""Asking hosts again and again: what is waited for in parts, and what is kept meanwhile."""

import queue
import threading

import pytest

import saltface
from replicamaster import asking
from replicaplan.errors import ReplicationBroken, ReplicationLate
from transferplan.errors import MinionSilent


class Waiting:
    """A replica that is late so many times, and then says something."""

    def __init__(self, *answers):
        self.answers, self.parts = list(answers), []

    def ask(self, host, function, patience=0, /, timeout=0, **what):
        self.parts.append((function, timeout, what))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise asking.HostSaid(host, answer.as_dict())
        return answer


LATE = ReplicationLate("The lag is 99 s.")


def test_a_replica_is_waited_for_in_parts_so_that_a_dead_master_holds_nothing_for_long():
    hosts = Waiting(LATE, LATE, {"lag": 1})
    assert asking.wait_in_parts(hosts, "db2", 1000, 300, lag=10) == {"lag": 1}
    assert hosts.parts == [("wait", 300, {"lag": 10})] * 3


def test_what_is_broken_is_not_waited_for_any_longer():
    with pytest.raises(asking.HostSaid, match="db2: row not found"):
        asking.wait_in_parts(Waiting(ReplicationBroken("row not found")), "db2", 1000, 300, lag=10)


def test_the_time_is_over_when_all_parts_of_it_are():
    hosts = Waiting(LATE)
    with pytest.raises(ReplicationLate, match="After 0 s in all: db2: The lag is 99 s."):
        asking.wait_in_parts(hosts, "db2", 0, 300, lag=10)
    assert hosts.parts == [("wait", 0, {"lag": 10})]


class Renewing:
    """A host that is asked to renew, and answers in this and that way; the last stays."""

    def __init__(self, *answers):
        self.asked, self.answers = queue.Queue(), list(answers)

    def ask(self, host, function, patience=0, /, **arguments):
        self.asked.put((host, function, arguments))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_what_is_held_is_renewed_again_and_again_while_something_else_is_done():
    hosts = Renewing({})
    with asking.renewing(hosts, "db2", "pause", 0.01):
        asked = [hosts.asked.get(timeout=10) for _ in range(3)]
    assert asked == [("db2", "renew", {"what": "pause"})] * 3


@pytest.mark.parametrize("trouble", [asking.HostSaid("db2", {"text": "it is busy"}), RuntimeError("no event loop")])
def test_whatever_goes_wrong_with_one_renewal_the_next_one_is_tried(trouble):
    hosts = Renewing(trouble, {})
    with asking.renewing(hosts, "db2", "installation", 0.01):
        for _ in range(3):
            hosts.asked.get(timeout=10)


class Silent(Renewing):
    """It hears and does not answer before it `may`."""

    def __init__(self):
        super().__init__({})
        self.may = threading.Event()

    def ask(self, host, function, patience=0, /, **arguments):
        super().ask(host, function, patience, **arguments)
        self.may.wait(60)


def test_who_is_interrupted_does_not_wait_for_a_silent_host(monkeypatch):
    monkeypatch.setattr(asking, "PATIENCE", 0.01)
    hosts = Silent()
    with pytest.raises(KeyboardInterrupt), asking.renewing(hosts, "db2", "pause", 0.01):
        hosts.asked.get(timeout=10)
        raise KeyboardInterrupt
    assert not hosts.may.is_set()
    hosts.may.set()


class Bus(asking.Hosts):
    """Brings these answers, {(function, host): answer}."""

    def __init__(self, *answers):
        super().__init__({})
        self._brought = {("info", answer.host): answer for answer in answers}

    def _answers(self, asked, _timeout):
        assert {(function, host) for function, hosts in asked.items() for host in hosts} == set(self._brought)
        return self._brought


WELL = saltface.Answer("db1", {"role": "primary"})
ERROR = saltface.Answer("db2", {"error": {"text": "It is broken.", "name": "broken", "evidence": {"number": 7}}})
SILENT = saltface.Answer("db3", trouble=MinionSilent("No answer came."))


def test_what_a_host_answers_is_what_it_said():
    assert Bus(WELL).ask("db1", "info") == {"role": "primary"}


def test_an_error_of_a_host_is_raised_with_its_name_and_evidence():
    with pytest.raises(asking.HostSaid, match="db2: It is broken.") as error:
        Bus(ERROR).ask("db2", "info")
    assert not isinstance(error.value, asking.HostSilent)
    assert (error.value.evidence["number"], error.value.told["name"]) == (7, "broken")


def test_who_says_nothing_may_have_done_what_was_asked_and_is_told_apart():
    with pytest.raises(asking.HostSilent, match="db3: No answer came."):
        Bus(SILENT).ask("db3", "info")


def test_of_several_each_is_told_for_itself():
    bus = Bus(WELL, ERROR, SILENT)
    told, failed = bus.ask_all(["db1", "db2", "db3"], "info")
    assert told == {"db1": {"role": "primary"}}
    assert failed == {"db2": "db2: It is broken.", "db3": "db3: No answer came."}


def test_the_first_error_of_several_that_all_have_to_answer_is_raised():
    with pytest.raises(asking.HostSaid, match="db2: It is broken."):
        Bus(WELL, ERROR).ask_each({"db1": {}, "db2": {}}, "info")


def test_a_question_is_for_the_module_replica_and_believed_of_that_minion_alone(monkeypatch):
    asked = []

    class Fleet:
        def __init__(self, _opts):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_exception):
            pass

        def ask(self, questions):
            asked.append(questions)
            return dict.fromkeys(questions, WELL)

    monkeypatch.setattr(saltface, "Fleet", Fleet)
    monkeypatch.setattr(asking, "believe", lambda _opts, member: f"by {member.host}")
    asking.Hosts({}).ask("db1", "wait", 7, timeout=3)
    question = saltface.Question("db1", "replica.wait", {"timeout": 3}, "by db1", 7, asking.PATIENCE)
    assert asked == [{("wait", "db1"): question}]
