"""What people see while a course is driven; how it goes on is tested where it is decided."""

import saltface
from tests.unit.transferplan.samples import BETA, asked
from transfermaster.drive import Drive
from transferplan import course, errors


class Seen:
    """A screen that remembers the lines that change."""

    def __init__(self):
        self.lines = []

    def show(self, *lines):
        self.lines += lines


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
