"""Asking hosts again and again: what is waited for in parts, and what is kept meanwhile."""

import pytest

from replicamaster import asking
from replicaplan.errors import ReplicationBroken, ReplicationLate


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
    assert asking.waited(hosts, "db2", 1000, 300, lag=10) == {"lag": 1}
    assert hosts.parts == [("wait", 300, {"lag": 10})] * 3


def test_what_is_broken_is_not_waited_for_any_longer():
    with pytest.raises(asking.HostSaid, match="db2: row not found"):
        asking.waited(Waiting(ReplicationBroken("row not found")), "db2", 1000, 300, lag=10)


def test_the_time_is_over_when_all_parts_of_it_are():
    hosts = Waiting(LATE)
    with pytest.raises(ReplicationLate, match="After 0 s in all: db2: The lag is 99 s."):
        asking.waited(hosts, "db2", 0, 300, lag=10)
    assert hosts.parts == [("wait", 0, {"lag": 10})]
