"""Hypothesis strategies for what travels: sound entries, parts, and any message, derived from its fields."""

import dataclasses

from hypothesis import settings
from hypothesis import strategies as st

from datamover import manifest, wire
from datamover.manifest import Entry, Kind
from datamover.wire import batches, fields

# Time on a busy machine says nothing about the code.
relaxed = settings(deadline=None)

digests = st.binary(min_size=32, max_size=32)
identifiers = st.binary(min_size=16, max_size=16).map(bytes.hex)
printable = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=20)
ids = st.integers(0, manifest.MAX_ID)


def _clean(name):
    return name.replace(b"/", b"_").replace(b"\0", b"0")


names = st.binary(min_size=1, max_size=255).map(_clean).filter(lambda name: name not in (b".", b".."))
xattrs = st.dictionaries(
    st.binary(min_size=1, max_size=255).map(lambda name: name.replace(b"\0", b"0")), st.binary(max_size=300), max_size=4
).map(lambda found: tuple(sorted(found.items())))

_OWN = {
    Kind.FILE: {"size": st.integers(0, 2**63 - 1)},
    Kind.SYMLINK: {"target": st.binary(min_size=1, max_size=4095).map(lambda target: target.replace(b"\0", b"0"))},
    Kind.CHARDEV: {"device": st.integers(0, manifest.MAX_DEVICE)},
    Kind.BLOCKDEV: {"device": st.integers(0, manifest.MAX_DEVICE)},
}
_METADATA = {
    "mode": st.integers(0, 0o7777),
    "uid": ids,
    "gid": ids,
    "owner": printable,
    "group": printable,
    "mtime_ns": st.integers(manifest.EARLIEST, manifest.LATEST),
    "xattrs": xattrs,
}


@st.composite
def entries(draw, kinds=tuple(Kind)):
    """A sound entry; number 0 is a root."""
    kind = draw(st.sampled_from(kinds))
    root = kind in (Kind.FILE, Kind.DIRECTORY) and draw(st.booleans())
    number = 0 if root else draw(st.integers(2, manifest.MAX_NUMBER))
    place = {"parent": 0, "name": b""} if root else {"parent": draw(st.integers(0, number - 1)), "name": draw(names)}
    if kind == Kind.HARDLINK:
        return Entry(number, **place, kind=kind, link=draw(st.integers(1, number - 1)))
    values = {name: draw(strategy) for name, strategy in {**_METADATA, **_OWN.get(kind, {})}.items()}
    return Entry(number, **place, kind=kind, **values)


@st.composite
def parts(draw):
    blocks = draw(st.lists(digests, max_size=5).map(tuple))
    length = draw(st.integers(len(blocks), 2**63 - 1))
    first = draw(st.integers(0, length - len(blocks)))
    numbers = draw(st.tuples(st.integers(0, manifest.MAX_NUMBER), st.integers(0, 2**16 - 1)))
    return batches.Part(*numbers, length, first, blocks, draw(st.sampled_from([b""]) | digests))


@st.composite
def spans(draw):
    offset = draw(st.integers(0, 2**63 - 1))
    numbers = draw(st.tuples(st.integers(0, manifest.MAX_NUMBER), st.integers(1, 2**16 - 1)))
    return batches.Span(*numbers, offset, draw(st.integers(0, 2**63 - 1 - offset)))


def value_of(field):
    """Any value that a field of a message can carry."""
    return _VALUES[type(field)](field)


def _text(field):
    return printable.filter(lambda text: field.least - 2 <= len(text.encode()) <= field.limit)


_VALUES = {
    fields.Number: lambda field: st.integers(field.low, field.high),
    fields.Flag: lambda field: st.booleans(),
    fields.Fixed: lambda field: st.binary(min_size=field.size, max_size=field.size),
    fields.Identifier: lambda field: identifiers,
    fields.Blob: lambda field: st.binary(max_size=min(field.limit, 100)),
    fields.Text: _text,
    fields.Word: lambda field: st.sampled_from(field.words),
    fields.Maybe: lambda field: st.none() | value_of(field.field),
    fields.Many: lambda field: st.lists(value_of(field.field), max_size=min(field.limit, 4)).map(tuple),
    batches.Entries: lambda field: st.lists(entries(), max_size=4).map(tuple),
    batches.OneEntry: lambda field: entries(),
    batches.Parts: lambda field: st.lists(parts(), max_size=4).map(tuple),
    batches.Spans: lambda field: st.lists(spans(), max_size=4).map(tuple),
    batches.Ranges: lambda field: st.sets(st.integers(0, 300), max_size=9).map(sorted).map(batches.ranges_of),
}


def messages_of(kind):
    """Any message of one class; an introduction speaks a version that we know."""
    values = {field.name: value_of(field.metadata["field"]) for field in dataclasses.fields(kind)}
    if issubclass(kind, wire.Introduction):
        values |= {"version_min": st.just(wire.VERSION_MIN), "version_max": st.just(wire.VERSION_MAX)}
    return st.builds(kind, **values)


messages = st.sampled_from(list(wire.MESSAGES.values())).flatmap(messages_of)


@st.composite
def damaged(draw, data):
    """The bytes with a few of them changed, removed or doubled."""
    damaged = bytearray(draw(data))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(damaged) - 1)))
        end = at + draw(st.integers(0, 4))
        damaged[at:end] = draw(st.binary(max_size=4))
    return bytes(damaged)
