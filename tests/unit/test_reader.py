"""Who types what a page says notices every command that fails and was not said to."""

from types import SimpleNamespace

import pytest

from tests.support import pages
from tests.support.reader import Reader


class Lab:
    """Commands end as their last word says."""

    _salt_bin = "/usr/bin"

    def machine(self, _name):
        return self

    def run(self, argv, **_options):
        status = int(argv[-1].split()[-1])
        return SimpleNamespace(returncode=status, stdout=f"ended with {status}\n")


def surprises(*commands):
    reader = Reader(Lab())
    for step in pages.read("\n".join(["```console", *(f"$ {command}" for command in commands), "```"])):
        reader.follow(step)
    reader.end()
    return reader.surprises


@pytest.mark.parametrize("commands", [["true 0", "false 1", "true 0"], ["true 0", "false 1"], ["false 1"]])
def test_a_command_that_fails_is_noticed_wherever_it_stands(commands):
    (found,) = surprises(*commands)
    assert "ended with status 1" in found and "ended with 1" in found


@pytest.mark.parametrize("commands", [[], ["true 0"], ["false 1", "echo $?; true 0"]])
def test_what_goes_well_or_is_asked_about_is_no_surprise(commands):
    assert surprises(*commands) == []
