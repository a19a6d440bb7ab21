"""Who may say what when: the opening, the conversation on control, the count on bulk."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover import wire
from datamover.errors import (
    LocalError,
    NotAPeer,
    ProtocolError,
    RosterMismatch,
    VersionMismatch,
    WrongTransfer,
)
from datamover.wire import Announce, Bye, Hello, Piece, Published, Sealed, protocol
from datamover.wire.protocol import Conversation, Tally

from ..strategies import relaxed
from .test_wire import DATASET, ENTRIES, PLACE, ROOT, SAMPLES

ALPHA = Hello(**PLACE, host="alpha", role="control")
BETA = Hello(**PLACE, host="beta", role="control")


def hello(of=ALPHA, **changes):
    return dataclasses.replace(of, **changes)


# The opening.


def test_a_hello_is_answered_and_the_answer_holds():
    welcome = protocol.answer(BETA, ALPHA, "alpha")
    assert (welcome.host, welcome.version_min, welcome.version_max, welcome.features) == ("beta", 1, 1, ())
    protocol.check_welcome(ALPHA, welcome, "beta")


def test_a_bulk_hello_is_answered_for_its_stream():
    bulk = hello(role="bulk", stream=3, token=b"t" * 32)
    welcome = protocol.answer(BETA, bulk, "alpha")
    assert (welcome.role, welcome.stream) == ("bulk", 3)
    protocol.check_welcome(bulk, welcome, "beta")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"host": "gamma"}, NotAPeer, "credentials of alpha calls itself gamma"),
        ({"project": "0.2.0"}, VersionMismatch, "alpha runs salt-transfer 0.2.0, beta 0.1.0"),
        ({"transfer": "00" * 16}, WrongTransfer, "transfer 0000"),
        ({"attempt": 3}, WrongTransfer, r"attempt 3 \(here 2\)"),
        ({"dataset": "00" * 16}, WrongTransfer, "dataset 0000"),
        ({"generation": 9}, WrongTransfer, "generation 9"),
        ({"epoch": 9}, WrongTransfer, "epoch 9"),
        ({"leaf": 9, "epoch": 8}, WrongTransfer, r"epoch 8 \(here 4\), leaf 9 \(here 1\)"),
        ({"roster": bytes(32)}, RosterMismatch, "alpha and beta were armed with different rosters"),
        ({"required": ("warp",)}, VersionMismatch, "warp"),
        ({"stream": 1}, ProtocolError, "calls stream 1 a control connection"),
        ({"role": "bulk"}, ProtocolError, "calls stream 0 a bulk connection"),
    ],
)
def test_a_hello_that_does_not_fit_is_refused(changes, error, words):
    with pytest.raises(error, match=words):
        protocol.answer(hello(BETA, project="0.1.0"), hello(**{"project": "0.1.0", **changes}), "alpha")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"host": "gamma"}, NotAPeer, "credentials of beta calls itself gamma"),
        ({"attempt": 3}, WrongTransfer, "beta is here for another transfer"),
        ({"roster": bytes(32)}, RosterMismatch, "different rosters"),
        ({"role": "bulk", "stream": 1}, ProtocolError, "answered bulk 1 to control 0"),
        ({"version_max": 2}, ProtocolError, "not offered"),
        ({"version_min": 2, "version_max": 2}, ProtocolError, "not offered"),
        ({"features": ("warp",)}, ProtocolError, "features that were not offered: warp"),
    ],
)
def test_a_welcome_that_does_not_answer_is_refused(changes, error, words):
    welcome = dataclasses.replace(protocol.answer(BETA, ALPHA, "alpha"), **changes)
    with pytest.raises(error, match=words):
        protocol.check_welcome(ALPHA, welcome, "beta")


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ({"optional": ("a", "b")}, {"optional": ("b", "c")}, ("b",)),
        ({"required": ("a",)}, {"optional": ("a",)}, ("a",)),
        ({"optional": ("b", "a")}, {"required": ("a",), "optional": ("b",)}, ("a", "b")),
        ({"required": ("a",)}, {"optional": ("b",)}, None),
        ({"optional": ("a",)}, {"required": ("a", "b")}, None),
    ],
)
def test_features_are_agreed_or_the_missing_one_is_named(ours, theirs, agreed):
    acceptor, connector = hello(BETA, **ours), hello(**theirs)
    if agreed is None:
        with pytest.raises(VersionMismatch, match="with alpha these features"):
            protocol.answer(acceptor, connector, "alpha")
    else:
        welcome = protocol.answer(acceptor, connector, "alpha")
        assert welcome.features == agreed
        protocol.check_welcome(connector, welcome, "beta")


def test_a_required_feature_that_was_not_granted_is_named():
    welcome = protocol.answer(BETA, ALPHA, "alpha")
    with pytest.raises(VersionMismatch, match="warp"):
        protocol.check_welcome(hello(required=("warp",)), welcome, "beta")


def test_the_roster_digest_does_not_depend_on_the_order_of_keys():
    one = {"transfer": "ab", "members": [{"host": "\u00e4", "port": None}]}
    other = {"members": [{"port": None, "host": "\u00e4"}], "transfer": "ab"}
    assert protocol.roster_digest(one) == protocol.roster_digest(other)
    assert protocol.roster_digest(one) != protocol.roster_digest({**one, "members": []})
    assert protocol.roster_digest(one).hex() == "c59264f5c6e0f72c02731321486df9dc099fc0559936347ce49f7395b2270cab"


# The conversation on control. A script is a list of who says what; S and D are source and destination.

WELCOME = protocol.answer(BETA, ALPHA, "alpha")
EDITION = {"dataset": DATASET, "generation": 3, "leaf": 1}
FIRST = Announce(sequence=0, more=True, entries=ENTRIES, **EDITION)
LAST = Announce(sequence=1, more=False, entries=(), **EDITION)
DIGESTS, RESTART, SEAL, HAVE, KEPT, LANDED = (
    dataclasses.replace(SAMPLES[name], base=0) for name in ("Digests", "Restart", "Seal", "Have", "Kept", "Landed")
)
SEALED, PUBLISHED = Sealed(root=ROOT, level="readback", **EDITION), Published(root=ROOT, **EDITION)
FAILED, PING, BYE = SAMPLES["Failed"], SAMPLES["Ping"], Bye()
CREDIT, PAUSE, LIMIT, ADMIT, LOST, TAKEN = (
    SAMPLES[name] for name in ("Credit", "Pause", "Limit", "Admit", "Lost", "Taken")
)

OPENED = [("S", ALPHA), ("D", WELCOME)]
LISTED = [*OPENED, ("S", FIRST), ("S", LAST)]
SEALING = [*LISTED, ("S", DIGESTS), ("S", SEAL)]
WHOLE = [*SEALING, ("D", SEALED), ("D", PUBLISHED)]


class Ends:
    """Both ends of a control connection without a network between."""

    def __init__(self, source_connects=True):
        self.ends = {
            "S": Conversation("source", source_connects),
            "D": Conversation("destination", not source_connects),
        }

    def say(self, who, message):
        other = "D" if who == "S" else "S"
        self.ends[who].sent(message)
        self.ends[other].received(message)

    def play(self, script):
        for who, message in script:
            self.say(who, message)
        return self.ends["S"], self.ends["D"]


@pytest.mark.parametrize(
    "script",
    [
        [*WHOLE, ("S", BYE), ("D", BYE)],
        [*WHOLE, ("D", BYE), ("S", BYE)],
        [*OPENED, ("D", ADMIT), ("D", CREDIT), ("S", FIRST), ("S", DIGESTS), ("D", HAVE), ("S", LAST), ("S", RESTART),
         ("D", PAUSE), ("D", LIMIT), ("S", PING), ("D", PING), ("S", DIGESTS), ("D", ADMIT), ("S", SEAL), ("D", LANDED),
         ("D", SEALED), ("D", LANDED), ("S", PING), ("D", PUBLISHED), ("D", PING), ("D", BYE), ("S", PING), ("S", BYE)],
        [*OPENED, ("D", ADMIT), ("S", LOST), ("D", ADMIT), *LISTED[2:], ("S", LOST), ("D", TAKEN), *SEALING[4:],
         ("S", LOST), ("D", ADMIT), ("D", TAKEN), *WHOLE[6:7], ("S", LOST), *WHOLE[7:], ("S", LOST), ("S", BYE),
         ("D", BYE)],
        [*OPENED, ("D", FAILED), ("S", FAILED), ("D", BYE), ("S", BYE)],
        [("S", ALPHA), ("D", FAILED), ("S", FAILED), ("S", BYE), ("D", BYE)],
        [*WHOLE, ("S", FAILED), ("S", BYE), ("D", BYE)],
    ],
)  # fmt: skip
def test_a_conversation_goes_from_hello_to_bye(script):
    source, destination = Ends().play(script)
    assert source.finished and destination.finished


def test_the_destination_may_be_the_one_that_connects():
    ends = Ends(source_connects=False)
    source, destination = ends.play([("D", ALPHA), ("S", WELCOME), ("S", ADMIT), ("S", FIRST)])
    assert source.open and destination.open


@pytest.mark.parametrize(
    ("before", "who", "message"),
    [
        ([], "S", FIRST),
        ([], "S", WELCOME),
        ([], "S", BYE),
        ([], "D", ALPHA),
        ([], "D", WELCOME),
        ([], "D", ADMIT),
        ([("S", ALPHA)], "S", ALPHA),
        ([("S", ALPHA)], "S", FIRST),
        ([("S", ALPHA)], "D", CREDIT),
        (OPENED, "S", dataclasses.replace(FIRST, dataset="00" * 16)),
        (OPENED, "S", dataclasses.replace(FIRST, generation=4)),
        (OPENED, "S", dataclasses.replace(FIRST, base=2)),
        (OPENED, "D", dataclasses.replace(HAVE, leaf=0)),
        (OPENED, "S", ALPHA),
        (OPENED, "D", WELCOME),
        (OPENED, "S", ADMIT),
        (OPENED, "S", LAST),
        (OPENED, "S", SEAL),
        (OPENED, "S", BYE),
        (OPENED, "D", BYE),
        (OPENED, "D", FIRST),
        (OPENED, "D", SEAL),
        (OPENED, "D", DIGESTS),
        (OPENED, "S", HAVE),
        (OPENED, "S", CREDIT),
        (OPENED, "S", LANDED),
        (OPENED, "S", TAKEN),
        (OPENED, "S", wire.Knock(token=bytes(32))),
        ([], "S", wire.Knock(token=bytes(32))),
        (OPENED, "D", LOST),
        ([], "S", LOST),
        (OPENED, "S", SEALED),
        (OPENED, "D", SEALED),
        (OPENED, "D", PUBLISHED),
        ([*OPENED, ("S", FIRST)], "S", FIRST),
        (LISTED, "S", LAST),
        (LISTED, "S", dataclasses.replace(LAST, sequence=2)),
        (LISTED, "D", SEALED),
        (SEALING, "S", DIGESTS),
        (SEALING, "S", RESTART),
        (SEALING, "S", SEAL),
        (SEALING, "S", BYE),
        (SEALING, "D", PUBLISHED),
        (SEALING, "D", BYE),
        ([*SEALING, ("D", SEALED)], "D", SEALED),
        ([*SEALING, ("D", SEALED)], "D", CREDIT),
        ([*SEALING, ("D", SEALED)], "D", TAKEN),
        ([*SEALING, ("D", SEALED)], "D", ADMIT),
        ([*SEALING, ("D", SEALED)], "S", BYE),
        (WHOLE, "D", PUBLISHED),
        (WHOLE, "D", LANDED),
        ([*WHOLE, ("D", BYE)], "D", PING),
        ([*WHOLE, ("D", BYE)], "D", FAILED),
        ([*WHOLE, ("D", BYE)], "D", BYE),
        ([*OPENED, ("S", FAILED)], "S", FAILED),
        ([*OPENED, ("S", FAILED)], "S", FIRST),
        ([*OPENED, ("D", FAILED)], "D", SEALED),
    ],
    ids=str,
)
def test_what_is_out_of_turn_is_our_bug_to_say_and_their_fault_to_have_said(before, who, message):
    ends = Ends()
    ends.play(before)
    other = "D" if who == "S" else "S"
    with pytest.raises(LocalError, match=f"we cannot say {type(message).__name__}"):
        ends.ends[who].sent(message)
    with pytest.raises(ProtocolError, match=f"the other end cannot say {type(message).__name__}"):
        ends.ends[other].received(message)


def test_after_a_fault_of_theirs_nothing_of_theirs_is_taken_but_we_can_say_why():
    source, destination = Ends().play(OPENED)
    for message in (SEALED, PING):
        with pytest.raises(ProtocolError, match="cannot say Sealed"):
            source.received(message)
    source.sent(FAILED)
    source.sent(BYE)


def test_a_bug_of_ours_is_noticed_before_it_is_said_and_changes_nothing():
    source, _ = Ends().play(OPENED)
    with pytest.raises(LocalError):
        source.sent(SEAL)
    source.sent(FIRST)


def test_a_conversation_is_open_after_its_welcome():
    source, destination = Ends().play([("S", ALPHA)])
    assert not source.open and not destination.open
    source, destination = Ends().play([("S", ALPHA), ("D", FAILED)])
    assert not source.open and not destination.open
    source, destination = Ends().play(OPENED)
    assert source.open and destination.open
    assert str(source) == "we are source and connector (listing), they destination and acceptor (taking)"


EVERYTHING = [ALPHA, WELCOME, ADMIT, FIRST, LAST, DIGESTS, RESTART, SEAL, HAVE, LANDED, CREDIT, PAUSE, LIMIT, PING]
EVERYTHING += [LOST, TAKEN, SEALED, PUBLISHED, FAILED, BYE]


@relaxed
@given(
    st.lists(
        st.tuples(st.sampled_from("SD"), st.sampled_from(["say", "hear"]), st.sampled_from(EVERYTHING)), max_size=80
    )
)
def test_what_one_end_may_say_the_other_takes_however_late_it_arrives(steps):
    """Messages lie on the way in both directions for any time: no order of arrival turns a sound end into a culprit."""
    ends, ways = Ends().ends, {"S": [], "D": []}
    for who, act, message in [*steps, *(("S", "hear", None), ("D", "hear", None)) * 80]:
        if act == "hear" and ways[who]:
            ends[who].received(ways[who].pop(0))
        elif act == "say":
            try:
                ends[who].sent(message)
            except LocalError:
                continue
            ways["D" if who == "S" else "S"].append(message)
    assert ways == {"S": [], "D": []}


def test_the_grammar_knows_every_message_but_that_before_hello_on_bulk():
    tables = (protocol.SOURCE, protocol.DESTINATION, protocol.CONNECTOR, protocol.ACCEPTOR, protocol.EITHER)
    known = {what for table in tables for row in table.values() for what in row}
    assert known - {"last Announce"} == set(wire.MESSAGES.values()) - {wire.Knock}


# The count on bulk.


def counted():
    tally = Tally(1)
    tally.piece(Piece(1, 1, 0, 10, 10))
    return tally


def test_a_stream_that_ends_as_counted_has_ended():
    tally = counted()
    tally.check(wire.Mark(1, 10, 1))
    assert not tally.ended
    tally.piece(Piece(1, 1, 10, 2**40, 0, wire.PieceKind.HOLE))
    tally.check(wire.End(2, 10, 1))
    assert tally.ended


@pytest.mark.parametrize("kind", [wire.Mark, wire.End])
@pytest.mark.parametrize("count", [(2, 10, 1), (0, 10, 1), (1, 11, 1), (1, 10, 2)])
def test_another_count_is_refused(kind, count):
    with pytest.raises(ProtocolError, match="stands after 1 pieces with 10 bytes"):
        counted().check(kind(*count))


def test_nothing_comes_after_the_end_or_from_another_stream():
    tally = Tally(1)
    with pytest.raises(ProtocolError, match="stream 1 got: Piece"):
        tally.piece(Piece(1, 1, 0, 10, 10, stream=2))
    tally.check(wire.End(0, 0))
    for late in (lambda: tally.piece(Piece(1, 1, 0, 10, 10)), lambda: tally.check(wire.End(0, 0))):
        with pytest.raises(ProtocolError, match="has ended"):
            late()
