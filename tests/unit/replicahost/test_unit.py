"""Options of ours for the unit of a database."""

import shlex

import pytest

from datamover.host import process
from replicahost import unit as units
from replicaplan.errors import ServiceFailed, StartFailed

NAME = "m.service"


class Systemd:
    """A unit whose variable other files set, and ours after them."""

    def __init__(self):
        self.others, self.active, self.asked, self.failing = "", "inactive", [], ""

    def run(self, command, _timeout=0):
        self.asked.append(command.argv[1])
        if command.argv[1] == self.failing:
            return process.Result(1, b"", b"it says no")
        if "ActiveState" in " ".join(command.argv):
            return process.Result(0, f"ActiveState={self.active}\n".encode(), b"")
        shown = self.others if "show" in command.argv and not units.drop_in(NAME).exists() else ""
        return process.Result(0, f"{shown}\n".encode(), b"")


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    systemd = Systemd()
    monkeypatch.setattr(units, "DROP_INS", tmp_path)
    monkeypatch.setattr(process, "run", systemd.run)
    return systemd


def options():
    """What systemd makes of our file: one line of Environment, quoted as it wants it."""
    (line,) = [line for line in units.options(NAME).splitlines() if line.startswith("Environment=")]
    (word,) = shlex.split(line.removeprefix("Environment=").replace("%%", "%"))
    return word.removeprefix("MYSQLD_OPTS=").split()


def test_options_of_ours_come_behind_those_of_the_administrator(systemd):
    systemd.others = r'TZ=UTC "MYSQLD_OPTS=--slow-query-log --log-error=/var/log/100%" OTHER=1'
    units.set_options(NAME, "--read-only=1")
    assert options() == ["--slow-query-log", "--log-error=/var/log/100%", "--read-only=1"]


def test_options_of_ours_are_not_taken_for_the_administrators(systemd):
    systemd.others = "MYSQLD_OPTS=--slow-query-log"
    units.set_options(NAME, "--skip-slave-start", "--read-only=1")
    units.set_options(NAME, "--read-only=1")
    assert options() == ["--slow-query-log", "--read-only=1"]


def test_what_was_there_before_is_there_again(systemd, tmp_path):
    units.set_options(NAME, "--read-only=1")
    before = units.options(NAME)
    units.set_options(NAME, "--skip-slave-start")
    units.restore_options(NAME, before)
    assert units.options(NAME) == before
    units.restore_options(NAME, "")
    assert list(tmp_path.iterdir()) == []


def test_what_is_held_down_is_stopped_as_its_file_says_and_then_masked(systemd):
    units.hold_down(NAME)
    assert systemd.asked == ["stop", "mask", "show"]


def test_what_somebody_starts_just_then_is_not_held_down(systemd):
    """It runs on: data must not change hands under it."""
    systemd.active = "activating"
    with pytest.raises(ServiceFailed, match="was started by somebody"):
        units.hold_down(NAME)
    assert systemd.asked[-1] == "unmask"


@pytest.mark.parametrize(
    ("verb", "ask"), [("stop", units.stop), ("mask", units.mask), ("unmask", units.unmask), ("daemon-reload", None)]
)
def test_what_systemd_does_not_do_is_no_failed_start(systemd, verb, ask):
    systemd.failing = verb
    with pytest.raises(ServiceFailed, match=f"systemctl {verb}( {NAME})? failed: .*it says no"):
        ask(NAME) if ask else units.reload()


def test_a_start_that_fails_is_one(systemd):
    systemd.failing = "start"
    with pytest.raises(StartFailed, match="did not start: .*it says no"):
        units.start(NAME)
