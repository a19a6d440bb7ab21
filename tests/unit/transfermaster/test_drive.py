"""What people see while a course is driven; how it goes on is tested where it is decided."""

import saltface
from tests.support.fleet import FakeFleet
from tests.unit.transferplan.samples import ALPHA, BETA, alpha, asked, beta
from transfermaster.drive import Drive
from transferplan import course, errors


class Seen:
    """A screen that remembers the lines that change, and those that stay."""

    def __init__(self):
        self.lines, self.said = [], []

    def show(self, *lines):
        self.lines += lines

    def say(self, lines):
        self.said += lines


def shown(function):
    """What a silent minion is worth while this function is asked for."""
    screen = Seen()
    drive = Drive({}, course.attach(asked(), 0.0) if function == "follow" else course.begin(asked(), 0.0), screen)
    drive.hear(BETA, function, saltface.Answer("beta", trouble=errors.MinionSilent("beta is silent")), 1.0)
    return screen.lines


def test_who_is_silent_on_the_way_is_shown_at_once():
    assert shown("follow") == ["beta is silent"]


def test_who_does_not_even_tell_facts_is_left_to_the_refusal_that_follows():
    assert shown("facts") == []


def said(**options):
    """What is said of a copy until its plan is made."""
    screen, fleet = Seen(), FakeFleet({})
    drive = Drive({}, course.begin(asked(), 0.0), screen, **options)
    for member, facts in ((ALPHA, alpha()), (BETA, beta())):
        drive.hear(member, "facts", saltface.Answer(member.host, facts), 1.0)
    drive.act(fleet)
    assert drive.plan
    return screen.said


def test_a_plan_is_said_when_it_is_made():
    assert said()[:2] == ["    copy  alpha:/srv/data  (directory, 1,000 files, 10.0 GiB)", "      to  beta:/srv/data"]


def test_of_a_plan_that_is_part_of_one_that_was_said_only_the_destination_is_said():
    assert said(part=True) == ["      to  beta:/srv/data"]
