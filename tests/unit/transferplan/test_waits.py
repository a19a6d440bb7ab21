"""What is kept of a copy that waits, and what is told of it."""

import json
from dataclasses import asdict

import pytest

from transferplan.waits import Queue, Wait

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


def test_a_line_tells_for_what_it_waits_and_since_when():
    line = WAIT.line(now=160.0 + 65)
    assert line == "waits since 1 min 05 s, 2 h 00 min at most: beta takes part in 1 transfer, 2 wait before this one"


def test_the_advice_says_whether_a_runner_lives_and_what_to_do():
    lives, dead = (WAIT.advice(ID, followed, 200.0) for followed in (True, False))
    assert "its runner lives" in lives and f"salt-run transfer.attach {ID} follows it" in lives
    assert "its runner is dead" in dead and "transfer.tend goes on with it" in dead
    assert all(f"salt-run transfer.cancel {ID}" in each for each in (lives, dead))


def test_after_its_time_the_advice_is_to_ask_again():
    assert WAIT.advice(ID, False, 160.0 + 7201).endswith("ask for it again")
