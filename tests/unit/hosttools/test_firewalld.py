"""What firewalld says on its bus, and what cannot be shown on a real one at will."""

import pytest

from hosttools import errors, firewalld
from hosttools.commands import MISSING, Result, drive
from hosttools.pinholes import Chain, Pinhole, tag

TAG = tag("a" * 32, 1)
OTHER = tag("b" * 32, 1)
ZONE = Chain("firewalld", "", "inet", "zone", "public", "drop")
HOLE = Pinhole(TAG, ("192.0.2.1",), "192.0.2.9", 4400, chains=(ZONE,))
FIRST, SECOND = (firewalld.rich_rule(HOLE, "192.0.2.1", priority) for priority in (firewalld.FIRST, firewalld.SECOND))


class Bus:
    """A firewalld with these rules in its zone public; `adding` is how an addition ends."""

    def __init__(self, *rules, adding=0):
        self.rules = list(rules)
        self.adding = adding
        self.changes = []

    def __call__(self, command):
        if command.argv[0] != "busctl":
            return Result(MISSING)
        method, _, *args = (*command.argv[len(firewalld.CALL) + 3 :], "", "")
        return getattr(self, method, lambda *_: Result(1))(*args)

    def NameHasOwner(self, *_):
        return Result(0, b"b true\n")

    def getZones(self, *_):
        return Result(0, b'as 1 "public"\n')

    def getRichRules(self, *_):
        quoted = " ".join('"' + rule.replace('"', '\\"') + '"' for rule in self.rules)
        return Result(0, f"as {len(self.rules)} {quoted}\n".encode())

    def addRichRule(self, zone, rule, timeout, *_):
        self.changes.append(("add", rule, timeout))
        if self.adding == 0:
            self.rules.append(rule)
        return Result(self.adding, b"", b"Call failed: COMMAND_FAILED")

    def removeRichRule(self, zone, rule, *_):
        self.changes.append(("remove", rule))
        self.rules = [each for each in self.rules if each != rule]
        return Result(0)


def test_renewing_adds_the_other_rule_before_it_removes_the_old_one():
    bus = Bus(FIRST)
    drive(firewalld.renew(HOLE, 30), bus)
    assert bus.changes == [("add", SECOND, "30"), ("remove", FIRST)]
    drive(firewalld.renew(HOLE, 30), bus)
    assert bus.rules == [FIRST]


def test_where_both_rules_are_there_one_makes_room_first():
    bus = Bus(FIRST, SECOND)
    drive(firewalld.renew(HOLE, 30), bus)
    assert bus.changes == [("remove", SECOND), ("add", SECOND, "30"), ("remove", FIRST)]


def test_a_renewal_that_firewalld_does_not_carry_out_is_a_pinhole_that_is_gone():
    with pytest.raises(errors.PinholeGone, match="COMMAND_FAILED"):
        drive(firewalld.renew(HOLE, 30), Bus(FIRST, adding=1))


def test_an_opening_that_firewalld_refuses_is_told_with_its_words():
    with pytest.raises(errors.PinholeNotOpen, match="port 4400 in its zone public: .*COMMAND_FAILED"):
        drive(firewalld.open(HOLE, 30), Bus(adding=1))


def test_only_rules_with_the_exact_tag_are_closed():
    foreign = [
        FIRST.replace(TAG, OTHER),
        FIRST.replace(TAG, f"see {TAG}"),
        'rule family="ipv4" source address="192.0.2.1" port port="4400" protocol="tcp" accept',
    ]
    bus = Bus(*foreign, FIRST)
    drive(firewalld.close(TAG), bus)
    assert bus.rules == foreign


def test_without_nft_what_firewalld_says_is_listed():
    (opening,) = drive(firewalld.openings(), Bus(FIRST, SECOND))
    assert opening.as_dict() == {
        "tag": TAG,
        "source": "192.0.2.1",
        "port": 4400,
        "remaining": None,
        "expiry": "daemon",
        "backend": "firewalld",
        "variant": "",
        "family": "inet",
        "table": "zone",
        "chain": "public",
    }


def test_a_host_without_firewalld_has_nothing_to_close_or_to_list():
    def run(command):
        return Result(MISSING)

    drive(firewalld.close(TAG), run)
    assert drive(firewalld.openings(), run) == []


@pytest.mark.parametrize(
    "text", ["", 'rule "', "rule accept", f'rule source address="10.0.0.0/8" port port="1" log prefix="{TAG}" accept']
)
def test_rules_of_others_are_none_of_ours(text):
    assert firewalld.parse("public", text) is None


def test_an_answer_that_cannot_be_read_is_an_error():
    with pytest.raises(errors.UnreadableOutput, match="busctl printed"):
        drive(firewalld.runs(), lambda command: Result(0, b'b "true\n'))
