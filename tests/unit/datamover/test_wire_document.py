"""docs/wire-protocol.md is normative: what it says of messages, bounds, numbers and turns is what the code does."""

import re
from pathlib import Path

import pytest

from datamover import blocks, manifest, wire
from datamover.engine import sealing
from datamover.wire import MESSAGES, Type, batches, fields, protocol

DOCUMENT = (Path(__file__).parents[3] / "docs" / "wire-protocol.md").read_text(encoding="utf-8")


def section(heading):
    """The text below a heading, up to the next heading."""
    return re.split(r"^#{2,3} ", DOCUMENT.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text):
    """The rows of the first table of a text, as tuples of cells, without code marks."""
    lines = re.search(r"((?:^\|.*\n)+)", text, re.MULTILINE).group(1).splitlines()
    return [tuple(cell.strip().replace("`", "") for cell in line.strip("|").split("|")) for line in lines[2:]]


def form_of(field):
    """How the document writes a field's form."""
    return _FORMS[type(field)](field)


def _number(field):
    if field == fields.COUNT:
        return "count"
    bounds = "" if (field.low, field.high) == (0, 256**field.width - 1) else f", {field.low} to {field.high}"
    return f"u{8 * field.width}{bounds}"


_FORMS = {
    fields.Number: _number,
    fields.Flag: lambda field: "flag",
    fields.Fixed: lambda field: f"{field.size} bytes",
    fields.Identifier: lambda field: "id",
    fields.Blob: lambda field: f"blob, 0 to {field.limit}",
    fields.Text: lambda field: f"text, {field.least - 2} to {field.limit}",
    fields.Word: lambda field: f"word: {', '.join(field.words)}",
    fields.Maybe: lambda field: f"maybe {form_of(field.field)}",
    fields.Many: lambda field: f"list of 0 to {field.limit}: {form_of(field.field)}",
    batches.Entries: lambda field: "entries",
    batches.OneEntry: lambda field: "entry",
    batches.Parts: lambda field: "parts",
    batches.Ranges: lambda field: "ranges",
    batches.Spans: lambda field: "spans",
}


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=lambda kind: kind.__name__)
def test_each_message_has_its_fields_in_their_order_and_form(kind):
    expected = [("magic", "8 bytes")] if kind.PREFIX else []
    expected += [(name.rstrip("_"), form_of(field)) for name, field in kind.layout()]
    text = section(f"{kind.__name__} (0x{kind.TYPE:02x})")
    assert text, f"{kind.__name__} has no section"
    assert [row[:2] for row in (rows(text) if expected else [])] == expected


def test_the_table_of_types_is_complete():
    found = {(number, name): (critical, bounds) for number, name, critical, bounds, _ in rows(section("Types"))}
    expected = {
        (f"0x{kind.TYPE:02x}", kind.__name__): ("yes" if kind.CRITICAL else "no", "{} to {}".format(*kind.bounds()))
        for kind in MESSAGES.values()
    }
    expected["0x40", "Piece"] = ("yes", f"32 to {wire.MAX_PIECE_BODY}")
    expected["0x41", "End"] = expected["0x42", "Mark"] = ("yes", "32 to 32")
    assert found == expected
    assert {int(number, 16) for number, _ in found} == {int(each) for each in Type}


GRAMMAR = {
    "source": protocol.SOURCE,
    "destination": protocol.DESTINATION,
    "connector": protocol.CONNECTOR,
    "acceptor": protocol.ACCEPTOR,
    "either": protocol.EITHER,
}


@pytest.mark.parametrize("party", GRAMMAR)
def test_the_tables_of_turns_are_those_of_the_code(party):
    said = {
        (state, what if isinstance(what, str) else what.__name__, move.to or state, " or ".join(move.after))
        for state, row in GRAMMAR[party].items()
        for what, move in row.items()
    }
    found = set()
    for states, messages, to, after in rows(section(f"Turns of the {party}")):
        for state in states.split(", "):
            found |= {(state, what, to.replace("same", state), after) for what in messages.split(", ")}
    assert found == said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("control body", wire.MAX_BODY),
        ("Hello and Welcome", wire.MAX_HELLO),
        ("data of one piece", wire.MAX_DATA),
        ("body of one piece", wire.MAX_PIECE_BODY),
        ("sealed by one record", sealing.MAX_RECORD),
        ("batch", wire.BATCH),
        ("bulk streams", wire.MAX_STREAMS),
        ("files in a pack", wire.MAX_PACKED),
        ("block digests in a part", wire.MAX_PART_BLOCKS),
        ("encoded entry", manifest.MAX_ENTRY),
        ("name", manifest.MAX_NAME),
        ("target of a symbolic link", manifest.MAX_TARGET),
        ("name of an owner or group", manifest.MAX_OWNER),
        ("name of an extended attribute", manifest.MAX_XATTR_NAME),
        ("value of an extended attribute", manifest.MAX_XATTR_VALUE),
        ("entry number", manifest.MAX_NUMBER),
        ("owner or group id", manifest.MAX_ID),
        ("length of a file", blocks.LONGEST),
        ("smallest block", blocks.SMALLEST_BLOCK),
        ("largest block", blocks.LARGEST_BLOCK),
        ("blocks of one file", blocks.MOST_BLOCKS),
    ],
)
def test_the_table_of_bounds_holds(name, value):
    assert {row[0]: row[1] for row in rows(section("Bounds"))}[name] == str(value)


NUMBERED = manifest.Kind, wire.Operation, wire.PieceKind, wire.Codec


@pytest.mark.parametrize("kind", NUMBERED, ids=lambda kind: kind.__name__)
def test_numbered_words_are_those_of_the_code(kind):
    found = {row[1]: row[0] for row in rows(section(kind.__name__))}
    assert found == {each.name.lower().replace("_", "-"): str(int(each)) for each in kind}


def test_every_section_of_a_message_is_of_a_message():
    found = re.findall(r"^### (\w+) \((0x\w\w)\)$", DOCUMENT, re.MULTILINE)
    known = {(kind.__name__, f"0x{kind.TYPE:02x}") for kind in MESSAGES.values()}
    known |= {("Piece", "0x40"), ("End", "0x41"), ("Mark", "0x42")}
    assert set(found) == known
