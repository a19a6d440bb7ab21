"""What is kept of a copy that waits, and what is told of it."""

import json
from dataclasses import asdict

import pytest

from transferplan.waits import Queue, Wait, in_line

ID = "a" * 32
BETA = Queue.told("beta", "destination", {"running": ["b" * 32], "waiting": ["c" * 32, "d" * 32], "most": 1})
WAIT = Wait(asked_at=100.0, since=160.0, seconds=7200.0, queues=(BETA,))


def test_what_is_noted_is_read_again():
    assert Wait.noted(json.loads(json.dumps(asdict(WAIT)))) == WAIT


@pytest.mark.parametrize(
    "other", [None, {}, {"asked_at": 1.0, "since": 1.0, "seconds": 1.0}, {**asdict(WAIT), "queues": [{"host": "beta"}]}]
)
def test_what_another_version_noted_is_passed_over(other):
    assert Wait.noted(other) is None


@pytest.mark.parametrize("answer", [{}, {"running": 3, "waiting": None, "most": "many"}])
def test_a_host_that_tells_too_little_has_told_nothing(answer):
    queue = Queue.told("beta", "destination", answer)
    assert (queue.running, queue.waiting, queue.most) == (0, 0, 0)


@pytest.mark.parametrize(("followed", "runner"), [(True, "its runner lives"), (False, "its runner is dead")])
def test_it_is_told_since_when_it_waits_for_what_and_whether_its_runner_lives(followed, runner):
    assert WAIT.text(followed, now=160.0 + 65) == (
        f"waits for 1 min 05 s, 2 h 00 min at most: beta takes part in 1 transfer, 2 wait before this one; {runner}"
    )


def test_what_can_be_done_depends_on_whether_its_runner_lives():
    lives, dead = (WAIT.advice(ID, followed, 200.0) for followed in (True, False))
    assert f"salt-run transfer.attach {ID} follows it" in lives
    assert f"salt-run transfer.attach {ID} or transfer.tend goes on with it" in dead
    assert all(f"salt-run transfer.cancel {ID} gives its place up" in each for each in (lives, dead))


def test_after_its_time_the_advice_is_to_ask_again():
    late = 160.0 + 7201
    assert "are over" in WAIT.text(False, late) and WAIT.advice(ID, False, late) == "ask for it again"


# --- for whom runners are called --------------------------------------------------------------------------------------


def waits_for(**most):
    queues = (Queue(host, "destination", running=1, waiting=0, most=number) for host, number in most.items())
    return Wait(100.0, 160.0, 7200.0, tuple(queues))


def called(*waits, now=200.0):
    return in_line(dict(enumerate(waits)), now)


@pytest.mark.parametrize(("most", "expected"), [(1, [0, 1]), (2, [0, 1, 2]), (0, [0, 1, 2, 3, 4])])
def test_of_those_that_wait_for_one_host_as_many_are_called_as_may_begin_and_one_that_stands_ready(most, expected):
    assert called(*[waits_for(beta=most)] * 5) == expected


def test_those_that_wait_for_other_hosts_are_called_beside():
    assert called(*[waits_for(beta=1)] * 3, waits_for(gamma=1)) == [0, 1, 3]


def test_who_waits_for_several_hosts_is_called_when_near_in_all_of_them():
    assert called(*[waits_for(beta=1)] * 3, waits_for(beta=1, gamma=1), waits_for(gamma=1)) == [0, 1, 4]


def test_who_has_not_heard_yet_for_what_it_waits_is_called():
    assert called(*[waits_for(beta=1)] * 3, waits_for()) == [0, 1, 3]


def test_those_whose_time_is_over_stand_in_nobodys_way_and_are_called_a_few_at_once():
    over = Wait(1.0, 1.0, 1.0, (BETA,))
    assert called(*[over] * 5, *[waits_for(beta=1)] * 3) == [5, 6, 0, 1]
