"""Errors: one stable code and name each, a sentence that says when and what to do, and a form that travels."""

import json

import pytest

from datamover import errors
from datamover.errors import ERRORS, MoverError

# Exit statuses and names are relied upon by scripts. Once released, a line here never changes; new ones are added.
RELEASED = {
    60: "protocol-error",
    61: "internal-error",
    62: "version-mismatch",
    63: "wrong-transfer",
    64: "roster-mismatch",
    65: "frame-too-large",
    66: "manifest-invalid",
    67: "spec-mismatch",
    68: "policy-refused",
    69: "busy",
    70: "source-changed",
    71: "source-vanished",
    72: "source-unreadable",
    73: "special-refused",
    74: "destination-exists",
    75: "no-space",
    76: "no-inodes",
    77: "disk-error",
    78: "metadata-mismatch",
    79: "digest-mismatch",
    80: "seal-invalid",
    81: "publish-failed",
    90: "peer-failed",
    91: "peer-unreachable",
    92: "connection-lost",
    93: "handshake-refused",
    94: "not-a-peer",
    95: "port-unavailable",
    96: "stalled",
    97: "cancelled",
    98: "no-go",
    99: "lease-expired",
}


def test_released_codes_and_names_stay():
    found = {error.code: error.name for error in ERRORS}
    assert {code: found.get(code) for code in RELEASED} == RELEASED


def test_codes_and_names_are_unique_and_in_the_package_s_range():
    codes = [error.code for error in ERRORS]
    assert codes == sorted(set(codes))
    assert all(60 <= code <= 119 for code in codes)
    assert len({error.name for error in ERRORS}) == len(ERRORS)


def test_every_class_of_the_module_is_listed():
    declared = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, MoverError)}
    assert declared - {MoverError} == set(ERRORS)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_an_error_says_itself_in_one_printable_line_of_its_own(error):
    assert error.__doc__ != error.__mro__[1].__doc__
    assert error.__doc__.isprintable() and error.__doc__.endswith(".")
    assert error.name == error.name.lower() and " " not in error.name


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_an_error_travels_as_json(error):
    raised = error("beta:/srv has 1 of 2 bytes", entry=7, path=b"/srv/na\nme")
    assert str(raised) == "beta:/srv has 1 of 2 bytes"
    assert json.loads(json.dumps(raised.as_dict())) == {
        "code": error.code,
        "name": error.name,
        "retryable": raised.retryable,
        "text": "beta:/srv has 1 of 2 bytes",
        "evidence": {"entry": 7, "path": "/srv/na%0Ame"},
    }


def test_a_peer_s_failure_is_as_retryable_as_the_peer_says():
    assert errors.PeerFailed("beta: no room").retryable is False
    assert errors.PeerFailed("beta: connection lost", retryable=True).as_dict()["retryable"] is True


def test_a_name_in_a_sentence_cannot_control_a_terminal():
    assert errors.shown(b"a b\x1b[2J%\xff\n") == "a b%1B[2J%25%FF%0A"
