"""Profiles: options under a name, and what is said of names that are none."""

import pytest

from transferplan.options import COMMAND, MASTER, MINION
from transferplan.settings import sound, sound_on_host

PROFILES = {"wan": {"streams": 8, "limit": "20MB/s"}, "polite": {"nice": "low", "streams": 1}}


def found(master=None, **command):
    return sound([(MASTER, {"profiles": PROFILES, **(master or {})}), (COMMAND, command)])


def test_a_profile_counts_like_the_command_line_that_names_it_but_below_what_it_says():
    values, troubles = found({"streams": 2}, profile="wan", limit="1MB/s")
    assert (values.streams, values.limit, troubles) == (8, 1_000_000, [])
    assert values.origins["streams"] == COMMAND
    assert values.given() == ["limit"]


def test_a_profile_of_the_configuration_is_below_the_configuration():
    values, troubles = found({"profile": "wan", "streams": 2})
    assert (values.streams, values.limit, troubles) == (2, 20_000_000, [])


def test_a_host_takes_what_a_profile_said_and_does_not_look_for_it():
    values, _ = found(profile="polite")
    own, troubles = sound_on_host(values.values("transfer", "host"), values.given(), None, {"nice": "normal"})
    assert (own.nice, own.streams, troubles) == ("low", 1, [])


@pytest.mark.parametrize(
    ("master", "command", "sentence"),
    [
        ({}, {"profile": "wam"}, "profile 'wam' (from the command line) is not defined; did you mean wan?"),
        ({}, {"profile": "zzz"}, "profile 'zzz' (from the command line) is not defined; there are: polite, wan"),
        ({"profiles": None}, {"profile": "wan"}, "no profiles stand in the master's configuration"),
        ({"profiles": {"wan": {"steams": 8}}}, {"profile": "wan"}, "'steams' (from the profile wan) is no option"),
        ({"profiles": {"wan": {"streams": "x"}}}, {"profile": "wan"}, "streams (from the profile wan) must be auto"),
        ({"profiles": {"wan": {"profile": "polite"}}}, {"profile": "wan"}, "the profile wan names other profiles"),
        ({"profiles": {"wan": {"keep_runs": 1}}}, {"profile": "wan"}, "keep_runs cannot be set from the profile wan"),
        ({"profiles": ["wan"]}, {}, "profiles (in the master's configuration) must be names with options below each"),
    ],
)
def test_what_is_wrong_with_profiles_is_told(master, command, sentence):
    _, troubles = found(master, **command)
    assert any(sentence in trouble for trouble in troubles), troubles


def test_profiles_are_the_masters_alone():
    for layer in (MINION, COMMAND):
        _, troubles = sound([(layer, {"profiles": PROFILES})])
        assert "profiles cannot be set from" in troubles[0]
