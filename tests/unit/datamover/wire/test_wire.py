"""Messages and frames: golden bytes, round trips, every cut, any garbage; nothing is buffered beyond its bound."""

import dataclasses
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover import errors, manifest, version, wire
from datamover.errors import FrameTooLarge, LocalError, MoverError, ProtocolError, VersionMismatch
from datamover.manifest import Entry, Kind
from datamover.wire import MESSAGES, Frame, Reader, Type, fields

from .. import strategies
from ..strategies import relaxed

# Every message of wire version 1 as it was released. This file is never edited: two hosts of different ages would no
# longer understand each other. A change of form needs a new wire version and a new file beside this one.
GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "wire-1.json").read_text())

TRANSFER, DATASET = "0123456789abcdef" * 2, "fedcba9876543210" * 2
EDITION = {"dataset": DATASET, "generation": 3, "base": 2, "leaf": 1}
PLACE = {
    "transfer": TRANSFER,
    "attempt": 2,
    "dataset": DATASET,
    "generation": 3,
    "epoch": 4,
    "leaf": 1,
    "roster": b"\xaa" * 32,
}
ENTRIES = (
    Entry(0, 0, b"", Kind.DIRECTORY, 0o755, owner="root", group="root", mtime_ns=1),
    Entry(1, 0, b"file", Kind.FILE, 0o644, size=9_000_000, xattrs=((b"user.a", b"b"),)),
)
PARTS = (
    wire.Part(1, 1, 9_000_000, 0, (b"\x01" * 32, b"\x02" * 32)),
    wire.Part(1, 1, 9_000_000, 2, (b"\x03" * 32,), b"\x04" * 32),
    wire.Part(2, 1, 10, 0, (), b"\x05" * 32),
)
ROOT = b"\xbb" * 32
SAMPLES = {
    "Hello": wire.Hello(
        project="0.1.0",
        **PLACE,
        host="alpha",
        role="bulk",
        stream=2,
        required=("one",),
        optional=("three", "two"),
        token=b"\xcc" * 32,
    ),
    "Welcome": wire.Welcome(project="0.1.0", **PLACE, host="beta", role="control", features=("one", "two")),
    "Admit": wire.Admit(stream=2, connection=3, pieces=5, bytes=9_000_000, token=b"\xcc" * 32, secret=b"\xee" * 32),
    "Knock": wire.Knock(token=b"\xcc" * 32),
    "Announce": wire.Announce(**EDITION, sequence=5, more=True, entries=ENTRIES),
    "Digests": wire.Digests(**EDITION, parts=PARTS),
    "Restart": wire.Restart(**EDITION, try_=2, entry=ENTRIES[1]),
    "Seal": wire.Seal(
        **EDITION,
        root=ROOT,
        algorithm="blake3",
        block_size=4194304,
        entries=2,
        files=1,
        bytes=9_000_000,
        signature=b"\xdd" * 70,
    ),
    "Lost": wire.Lost(stream=2, connection=3),
    "Adrift": wire.Adrift(above="over"),
    "Have": wire.Have(**EDITION, root=ROOT, considered=2, parts=PARTS[:1]),
    "Landed": wire.Landed(**EDITION, watermark=2, bytes=9_000_000, held_by=("beta", "gamma")),
    "Sealed": wire.Sealed(**EDITION, root=ROOT, level="readback"),
    "Published": wire.Published(**EDITION, root=ROOT),
    "Kept": wire.Kept(**EDITION, entries=((1, 2), (9, 1))),
    "Taken": wire.Taken(stream=2, pieces=5, bytes=9_000_000, ended=True),
    "Standing": wire.Standing(
        **EDITION,
        more=True,
        announced=9,
        landed=((0, 2),),
        verified=((5, 1),),
        spans=(wire.Span(1, 2, 4194304, 524288), wire.Span(7, 3, 0, 0)),
    ),
    "Behind": wire.Behind(host="delta", result="lost", text="delta cannot be reached"),
    "Credit": wire.Credit(limit=268435456),
    "Pause": wire.Pause(paused=True, reason="the disk is busy"),
    "Limit": wire.Limit(rate=50_000_000),
    "Ping": wire.Ping(sequence=7, phase="verifying", bytes_done=9, bytes_verified=8, files_done=1, steps=3),
    "Failed": wire.Failed(code=75, name="no-space", retryable=False, text="beta:/srv has 1 of 2 bytes", entry=1),
    "Bye": wire.Bye(),
}


def read(data, *first):
    reader = Reader(*first)
    reader.feed(data)
    return list(reader.messages())


def frame(type_, body=b"", critical=True, stream=0):
    return Frame(type_, wire.CRITICAL if critical else 0, stream, len(body)).encode() + body


# The released form.


def test_every_message_has_a_sample():
    assert [type(message) for message in SAMPLES.values()] == list(MESSAGES.values())


@pytest.mark.parametrize("name", SAMPLES)
def test_the_released_form(name):
    assert SAMPLES[name].encode().hex() == GOLDEN[name]
    assert read(bytes.fromhex(GOLDEN[name])) == [SAMPLES[name]]


# Round trips, in whatever cuts.


@relaxed
@given(strategies.messages)
def test_a_message_comes_back_from_its_frame_and_keeps_its_bounds(message):
    encoded = message.encode()
    least, most = message.bounds()
    assert read(encoded) == [message]
    assert least <= len(encoded) - wire.HEADER_SIZE <= most


@relaxed
@given(st.lists(strategies.messages, max_size=4), st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_cuts_do_not_matter(messages, cuts):
    data, reader, found = b"".join(message.encode() for message in messages), Reader(), []
    for cut in cuts * (len(data) // sum(cuts) + 1):
        reader.feed(data[:cut])
        data = data[cut:]
        found += reader.messages()
    assert found == messages


@pytest.mark.parametrize("name", SAMPLES)
def test_byte_by_byte_nothing_comes_before_the_last_byte(name):
    reader, encoded = Reader(), SAMPLES[name].encode()
    for at in range(len(encoded) - 1):
        reader.feed(encoded[at : at + 1])
        assert list(reader.messages()) == []
        assert reader.wanted > 0
    reader.feed(encoded[-1:])
    assert list(reader.messages()) == [SAMPLES[name]]


@pytest.mark.parametrize("name", SAMPLES)
def test_who_reads_what_is_wanted_never_reads_what_follows(name):
    reader, stream, found = Reader(), SAMPLES[name].encode() + b"payload", []
    while not found:
        wanted = reader.wanted
        reader.feed(stream[:wanted])
        stream = stream[wanted:]
        found = list(reader.messages())
    assert stream == b"payload"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_body_with_trailing_bytes_is_refused(name):
    kind, body = type(SAMPLES[name]), SAMPLES[name].body()
    with pytest.raises(MoverError):
        kind.decode(body + b"\0")


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "Bye"])
def test_a_body_cut_anywhere_is_refused(name):
    kind, body = type(SAMPLES[name]), SAMPLES[name].body()
    for end in range(len(body)):
        with pytest.raises(MoverError):
            kind.decode(body[:end])


# Any garbage.


@relaxed
@given(st.binary(max_size=300) | strategies.damaged(strategies.messages.map(lambda message: message.encode())))
def test_any_bytes_are_refused_or_are_the_one_form_of_messages(data):
    reader, found = Reader(), []
    reader.feed(data)
    try:
        for message in reader.messages():
            found.append(message)
    except MoverError:
        pass
    assert data.startswith(b"".join(message.encode() for message in found)) or _has_optional_frame(data)


def _has_optional_frame(data):
    """Does a frame stand in these bytes that may be skipped, so that what is read is not all that was sent?"""
    at = 0
    while at + wire.HEADER_SIZE <= len(data):
        header = data[at : at + wire.HEADER_SIZE]
        if header[0] not in MESSAGES and not header[1]:
            return True
        at += wire.HEADER_SIZE + int.from_bytes(header[4:8], "big")
    return False


@relaxed
@given(st.sampled_from(list(MESSAGES.values())), st.binary(max_size=400))
def test_any_body_is_refused_or_is_the_one_form_of_a_message(kind, body):
    try:
        message = kind.decode(kind.PREFIX + body)
    except MoverError:
        return
    assert message.body() == kind.PREFIX + body


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=lambda kind: kind.__name__)
def test_a_length_beyond_the_bound_is_refused_before_a_byte_of_it_is_there(kind):
    reader = Reader()
    reader.feed(Frame(kind.TYPE, int(kind.CRITICAL), 0, kind.bounds()[1] + 1).encode())
    with pytest.raises(FrameTooLarge, match=f"at most {kind.bounds()[1]} bytes"):
        list(reader.messages())


@pytest.mark.parametrize(
    "kind", [kind for kind in MESSAGES.values() if kind != wire.Bye], ids=lambda kind: kind.__name__
)
def test_a_length_below_the_bound_is_refused_at_once(kind):
    reader = Reader()
    reader.feed(Frame(kind.TYPE, int(kind.CRITICAL), 0, kind.bounds()[0] - 1).encode())
    with pytest.raises(ProtocolError, match="not the frame of"):
        list(reader.messages())


@pytest.mark.parametrize(
    "header",
    [
        b"GET / HTTP/1",
        b"\0" * 12,
        b"\xff" * 12,
        Frame(0, 1, 0, 0).encode(),
        Frame(Type.BYE, 3, 0, 0).encode(),
        Frame(Type.BYE, 0, 0, 0).encode(),
        Frame(Type.BYE, 1, 1, 0).encode(),
        Frame(Type.BYE, 1, 0, 0).encode()[:-1] + b"\1",
        Frame(Type.PIECE, 1, 1, 100).encode(),
        Frame(Type.PIECE, 0, 1, 100).encode(),
        Frame(0x7E, 1, 0, 0).encode(),
    ],
    ids=bytes.hex,
)
def test_a_header_that_cannot_be_is_refused(header):
    with pytest.raises(ProtocolError):
        read(header)


def test_an_optional_frame_of_a_later_version_is_skipped():
    later = frame(0x7E, b"something new", critical=False, stream=9)
    assert read(later + wire.Bye().encode() + later + wire.Bye().encode()) == [wire.Bye(), wire.Bye()]


def test_an_optional_frame_is_bounded_too():
    with pytest.raises(FrameTooLarge):
        read(Frame(0x7E, 0, 0, wire.MAX_BODY + 1).encode())


def test_after_an_error_there_is_only_that_error():
    reader = Reader()
    reader.feed(wire.Bye().encode() + b"\xff" * 12 + wire.Bye().encode())
    messages = reader.messages()
    assert next(messages) == wire.Bye()
    for _ in range(2):
        with pytest.raises(ProtocolError, match="type 255, flags 255"):
            list(messages or reader.messages())
        messages = None


@pytest.mark.parametrize("count", [2**32 - 1, 20_000])
@pytest.mark.parametrize("kind", [wire.Announce, wire.Digests, wire.Have])
def test_a_count_without_the_bytes_for_it_costs_no_memory(kind, count):
    empty = {name: () for name in ("entries", "parts") if name in dict(kind.layout())}
    sample = dataclasses.replace(SAMPLES[kind.__name__], **empty).body()
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=f"no room for {count}"):
            kind.decode(sample[:-4] + count.to_bytes(4, "big"))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_flood_of_bytes_for_a_refused_length_is_not_kept():
    reader = Reader()
    reader.feed(Frame(Type.SEAL, 1, 0, 2**32 - 1).encode())
    for _ in range(3):
        with pytest.raises(FrameTooLarge):
            list(reader.messages())
        with pytest.raises(FrameTooLarge):
            reader.feed(bytes(1000))


# The opening.


def test_nothing_may_come_before_what_comes_first():
    assert read(SAMPLES["Hello"].encode(), wire.Hello) == [SAMPLES["Hello"]]
    assert read(SAMPLES["Failed"].encode(), wire.Welcome, wire.Failed) == [SAMPLES["Failed"]]
    for early in (SAMPLES["Announce"].encode(), frame(0x7E, critical=False), SAMPLES["Welcome"].encode()):
        with pytest.raises(ProtocolError, match="cannot begin"):
            read(early[:12], wire.Hello)


def test_a_hello_without_the_magic_is_refused():
    encoded = SAMPLES["Hello"].encode().replace(b"SALTXFER", b"SALTXFES")
    with pytest.raises(ProtocolError, match="does not begin with SALTXFER"):
        read(encoded)


def hello_of(version_min, version_max, rest):
    """A Hello as a program of other versions says it: magic, versions and project stand where they always stand."""
    head = b"SALTXFER" + version_min.to_bytes(2, "big") + version_max.to_bytes(2, "big")
    return frame(Type.HELLO, head + fields.Text(64).pack("9.9.9") + rest)


def test_a_hello_without_a_common_version_names_both_whatever_its_form():
    for rest in (b"", b"\xff" * 8000):
        with pytest.raises(VersionMismatch) as refused:
            read(hello_of(2, 3, rest))
    assert refused.value.evidence == {"theirs": "9.9.9", "ours": version.VERSION}
    for part in ("9.9.9", version.VERSION, "wire 2 to 3", "wire 1 to 1"):
        assert part in refused.value.text


def test_a_hello_of_a_later_version_that_speaks_ours_may_say_more_at_its_end():
    later = dataclasses.replace(SAMPLES["Hello"], version_max=2)
    assert read(frame(Type.HELLO, later.body() + b"more")) == [later]


def test_a_token_never_shows():
    for name in ("Hello", "Admit"):
        for said in (str(SAMPLES[name]), repr(SAMPLES[name])):
            assert "cc" * 8 not in said and "\\xcc" not in said and "token" not in said


def test_a_token_does_not_show_when_it_cannot_be_said():
    with pytest.raises(LocalError, match="Admit.token must be 32 bytes, not 31 bytes"):
        wire.Admit(stream=1, token=b"\xcc" * 31).encode()


# What this program says.


def test_what_cannot_travel_is_our_bug_and_names_the_field():
    with pytest.raises(LocalError, match="Ping.phase must be one of prepared"):
        wire.Ping(sequence=1, phase="asleep").encode()
    with pytest.raises(LocalError, match="at most 1048576 fit"):
        wire.Announce(**EDITION, sequence=0, more=False, entries=(ENTRIES[1],) * 15_000).encode()


def test_the_largest_entry_fits_the_messages_that_carry_one():
    largest = ((b"user.%02d" % number, bytes(manifest.MAX_XATTR_VALUE)) for number in range(15))
    entry = ENTRIES[1]._replace(xattrs=tuple(largest))
    room = manifest.MAX_ENTRY - manifest.encoded_size(entry) - len(b"user.15") - 5
    entry = entry._replace(xattrs=(*entry.xattrs, (b"user.15", bytes(room))))
    assert manifest.encoded_size(entry) == manifest.MAX_ENTRY
    for message in (
        wire.Announce(**EDITION, sequence=0, more=False, entries=(entry,)),
        wire.Restart(**EDITION, try_=2, entry=entry),
    ):
        assert read(message.encode()) == [message]


@pytest.mark.parametrize("error", errors.ERRORS, ids=lambda error: error.name)
def test_every_error_can_be_told(error):
    told = wire.Failed.of(error("beta:/srv is full"), entry=3)
    assert read(told.encode()) == [told]
    assert (told.code, told.name, told.text, told.entry) == (error.code, error.name, "beta:/srv is full", 3)


@relaxed
@given(st.text(max_size=3000))
def test_any_sentence_can_be_told(text):
    told = wire.Failed.of(errors.DiskError(text))
    assert read(told.encode()) == [told]


def test_a_long_sentence_is_cut_between_letters():
    told = wire.Failed.of(errors.DiskError("x" + "\u00f6" * 4000))
    assert told.text == "x" + "\u00f6" * 2047


def test_a_failure_becomes_ours_in_the_other_s_words():
    error = SAMPLES["Failed"].as_error("beta")
    assert error.text == "beta: beta:/srv has 1 of 2 bytes"
    assert error.retryable is False
    assert error.evidence == {"host": "beta", "code": 75, "name": "no-space", "entry": 1}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (SAMPLES["Ping"], "Ping sequence=7 phase=verifying bytes_done=9 bytes_verified=8 files_done=1 steps=3"),
        (SAMPLES["Pause"], "Pause paused=True reason=the disk is busy"),
        (SAMPLES["Bye"], "Bye"),
        (SAMPLES["Landed"], f"Landed dataset={DATASET} generation=3 base=2 leaf=1 watermark=2 bytes=9000000 "
                            "held_by=beta,gamma"),
        (SAMPLES["Announce"], f"Announce dataset={DATASET} generation=3 base=2 leaf=1 sequence=5 more=True "
                              "entries=2[#0 directory (root) .. #1 file file]"),
        (SAMPLES["Published"], f"Published dataset={DATASET} generation=3 base=2 leaf=1 root=bbbbbbbbbbbbbbbb.."),
        (Frame(Type.SEAL, 1, 0, 200), "SEAL frame, critical, 200 bytes, stream 0"),
        (Frame(0x7E, 0, 3, 0), "type 0x7e frame, optional, 0 bytes, stream 3"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)  # fmt: skip
def test_a_log_can_be_read(said, shown):
    assert str(said) == shown


def test_a_log_line_of_a_batch_stays_short():
    announce = dataclasses.replace(SAMPLES["Announce"], entries=ENTRIES * 500)
    assert len(str(announce)) < 300


# What the source signs.


def test_the_released_seal_statement():
    assert wire.seal_statement(SAMPLES["Seal"], TRANSFER, 2, "alpha").hex() == GOLDEN["seal statement"]


def test_a_seal_statement_binds_everything_but_the_signature():
    seal = SAMPLES["Seal"]
    said = wire.seal_statement(seal, TRANSFER, 2, "alpha")
    changes = [{name: 77} for name in ("generation", "base", "leaf", "entries", "files", "bytes")]
    changes += [{"dataset": TRANSFER}, {"root": bytes(32)}, {"algorithm": "sha256"}, {"block_size": 65536}]
    others = [wire.seal_statement(dataclasses.replace(seal, **change), TRANSFER, 2, "alpha") for change in changes]
    places = [(DATASET, 2, "alpha"), (TRANSFER, 3, "alpha"), (TRANSFER, 2, "beta")]
    others += [wire.seal_statement(seal, *place) for place in places]
    assert len({said, *others}) == 1 + len(others)
    assert wire.seal_statement(dataclasses.replace(seal, signature=b""), TRANSFER, 2, "alpha") == said


def test_what_is_told_of_a_host_behind_travels_whatever_its_words_are():
    told = wire.Behind.of("delta", wire.NOT_REACHED, "no way\n" + "\u20ac" * 1000)
    assert wire.Behind.decode(told.encode()[wire.HEADER_SIZE :]) == told
    assert told.text.startswith("no way?\u20ac") and len(told.text.encode()) <= 1024
