"""Who asked: what Salt tells a runner, in its several ways, becomes a user and a way."""

import pytest

from transferplan.whose import asked_by

ROOT = {"user": "root"}


@pytest.mark.parametrize(
    "opts, user, given, sudo_user, expected",
    [
        ({"__cli": "salt-run", **ROOT}, "root", {}, None, ("root", "salt-run")),
        ({"__cli": "salt-run", **ROOT}, "sudo_ann", {}, "ann", ("sudo_ann", "salt-run")),
        ({"__cli": "salt-run", **ROOT}, "UNKNOWN", {}, "ann", ("sudo_ann", "salt-run")),
        ({"__cli": "salt-master", **ROOT}, "ann", {}, None, ("ann", "master")),
        ({"__cli": "salt-run", **ROOT}, "UNKNOWN", {"__pub_user": "ann"}, None, ("ann", "salt-run")),
        (ROOT, "root", {"__orchestration_jid__": "2026"}, None, ("root", "orchestration")),
        (ROOT, "Reactor", {}, None, ("Reactor", "reactor")),
        ({}, None, {}, None, ("UNKNOWN", "master")),
    ],
)
def test_who_asked_is_told_as_salt_knows_it(opts, user, given, sudo_user, expected):
    told = asked_by(opts, user, given, sudo_user)
    assert (told["user"], told["via"]) == expected


def test_a_name_can_neither_steer_a_terminal_nor_grow():
    told = asked_by({}, "\x1b[2J" + "a" * 1000, {}, None)
    assert "\x1b" not in told["user"] and len(told["user"]) <= 100
