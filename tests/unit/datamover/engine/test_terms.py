"""The spec and the roster as the engine reads them: the released forms."""

import json
from pathlib import Path

import pytest

from datamover.engine import channel
from datamover.engine.terms import Roster, Terms
from datamover.errors import LocalError
from datamover.wire import protocol

GOLDEN = Path(__file__).parents[3] / "golden"


@pytest.fixture
def document():
    identities = {host: channel.make_identity(host) for host in ("alpha", "beta")}
    roster = json.loads((GOLDEN / "roster-1.json").read_text())["roster"]
    for member in roster["members"]:
        member["certificate"] = identities[member["host"]].certificate
    return roster


def test_the_released_roster_is_read(document):
    roster = Roster(document)
    assert (roster.source.host, roster.source.port, roster.source.addresses) == ("alpha", None, ("10.77.1.11",))
    assert (roster.destination.host, roster.destination.port) == ("beta", 4403)
    assert roster.digest == protocol.roster_digest(document)
    assert roster.certificates == [member["certificate"] for member in document["members"]]


def test_a_certificate_belongs_to_its_member_and_to_nobody_else(document):
    roster = Roster(document)
    for member in roster.members:
        assert roster.owner_of(channel.der(member.certificate)) is member
    assert roster.owner_of(channel.der(channel.make_identity("alpha").certificate)) is None


def test_one_host_can_be_both_ends(document):
    document["members"][1]["host"] = "alpha"
    roster = Roster(document)
    assert roster.owner_of(roster.source.der) is roster.source
    assert roster.owner_of(roster.destination.der) is roster.destination


def test_two_destinations_are_not_for_this_version(document):
    document["members"].append(document["members"][1])
    with pytest.raises(LocalError, match="2 members with the role destination"):
        _ = Roster(document).destination


def test_both_ends_of_a_spec_say_a_hello_that_fits(document):
    roster = Roster(document)
    hellos = [Terms.of(each).hello(roster) for each in both_specs()]
    welcome = protocol.answer(hellos[1], hellos[0], hellos[0].host)
    protocol.check_welcome(hellos[0], welcome, hellos[1].host)


def both_specs():
    document = json.loads((GOLDEN / "spec-1.json").read_text())
    found = {each["role"]: each for each in document.values() if isinstance(each, dict) and "role" in each}
    return found["source"], found["destination"]


def test_a_bulk_hello_carries_its_stream_and_token(document):
    hello = Terms.of(both_specs()[0]).hello(Roster(document), "bulk", 3, b"t" * 32)
    assert (hello.role, hello.stream, hello.token) == ("bulk", 3, b"t" * 32)
    assert "t" * 32 not in str(hello)
