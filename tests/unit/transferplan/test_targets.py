"""Destinations named by a Salt target expression: what is refused before anybody is asked, and what becomes of it."""

import pytest

from transferplan import targets
from transferplan.errors import Refused


def refused(work, *arguments):
    with pytest.raises(Refused) as caught:
        work(*arguments)
    return caught.value.reasons


@pytest.mark.parametrize("kind", targets.KINDS)
def test_the_type_of_an_expression_is_said(kind):
    targets.check("/srv/", "db*", kind)


@pytest.mark.parametrize(
    "dst, expression, kind, words",
    [
        ("/srv/", "db*", None, ["targets needs a target_type: glob, list,"]),
        ("/srv/", "db*", "regex", ["target_type must be one of glob,"]),
        ("/srv/", "", "glob", ["targets must be a Salt target expression, not ''"]),
        ("/srv/", ["db1"], "list", ["targets must be a Salt target expression, not ['db1']"]),
        ("/srv/", None, "glob", ["targets must be"]),
        ("db2:/srv/", "db*", "glob", ["with targets, dst is a path alone"]),
        (["/srv/"], None, "x", ["target_type must", "targets must", "dst is a path alone"]),
    ],
)
def test_what_cannot_be_meant_is_refused_with_every_reason(dst, expression, kind, words):
    reasons = refused(targets.check, dst, expression, kind)
    assert len(reasons) == len(words)
    assert all(word in reason.text for word, reason in zip(words, reasons, strict=True))


def test_each_host_gets_the_same_path_in_the_order_of_names():
    assert targets.placed("/srv/", "alpha", "*", ["gamma", "beta"]) == ["beta:/srv/", "gamma:/srv/"]


@pytest.mark.parametrize(
    "hosts, words",
    [
        ([], "matches no minion"),
        (["alpha", "beta"], "matches alpha too, which is the source: write an expression without it"),
        ([f"host{number}" for number in range(101)], "matches 101 minions, at most 100 go together"),
    ],
)
def test_hosts_that_cannot_be_meant_are_refused(hosts, words):
    (reason,) = refused(targets.placed, "/srv/", "alpha", "x\x1b", hosts)
    assert words in reason.text and reason.text.isprintable()
