"""What people write who come from other tools is met with how it is said here."""

import pytest

from tests.support import runners
from transferplan import habits, settings
from transferplan.errors import Refused
from transferplan.options import COMMAND, MASTER, TABLE


@pytest.mark.parametrize(
    "name, said",
    [
        ("checksum", "what is proved says verify: readback, the default, or flight"),
        ("no-checksum", "what is proved says verify: readback, the default, or flight"),
        ("Parallel_Checksum", "what is proved says verify: readback, the default, or flight"),
        ("no_compress", "that is compress=none"),
        ("stop_slave", "that is stop_replication=True"),
        ("dry-run", "that is test=True"),
        ("bwlimit", "that is limit, such as limit=50MB/s"),
    ],
)
def test_an_option_of_another_tool_is_met_with_ours(name, said):
    for layer in (COMMAND, MASTER):
        assert settings.sound([(layer, {name: True})])[1] == [f"{name!r} (from {layer}) is no option; {said}"]


def test_no_habit_stands_in_the_way_of_an_option():
    assert not {*habits.OPTIONS} & {*TABLE}
    with pytest.raises(Refused, match="did you mean verify"):
        settings.resolve([(COMMAND, {"verifi": True})])


TOGETHER = "takes one src and one dst: for several destinations write "
LIST = TOGETHER + "them into a list: dst='[\"MINION:/path\", \"MINION:/path\"]'"


@pytest.mark.parametrize(
    "args, said",
    [
        (("a:/x", "b:/y", "c:/z"), TOGETHER + "dst='b:/y,c:/z'"),
        (("a:/x", "b:/y", "c:/z", "d:/"), TOGETHER + "dst='b:/y,c:/z,d:/'"),
        (("a:/x", "b:/y", "c:/it's"), LIST),
        (("a:/x", "b:/y,z", "c:/\x1b"), LIST),
        (("a:/x", "b:/y"), ""),
        (("a:/x", "b:/y", 7), ""),
        (("a:/x", "b:/y", "c"), ""),
    ],
)
def test_several_places_one_after_the_other_are_met_with_how_they_go_together(args, said):
    assert habits.of_places(args) == said


@pytest.mark.parametrize("name", ["copy", "plan", "start"])
def test_who_types_several_places_is_told_so(name):
    told = getattr(runners.load("transfer"), name)("a:/x", "b:/y", "c:/z", streams=2)
    assert (told["retcode"], [reason["text"] for reason in told["reasons"]]) == (
        3,
        [f"transfer.{name} {TOGETHER}dst='b:/y,c:/z'"],
    )
