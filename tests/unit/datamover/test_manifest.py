"""Entries and their one encoding, what an entry may be, how they follow each other, and the root over all of them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover import digests, manifest
from datamover.blocks import Content
from datamover.errors import LocalError, ManifestInvalid
from datamover.manifest import (
    Entry,
    Kind,
    Lineage,
    RootBuilder,
    check_entry,
    decode_entry,
    encode_entry,
    encoded_size,
)

from . import strategies
from .strategies import relaxed

# The encoding of entries and the roots as they were released. This file is never edited: whoever has to change it has
# changed what older receipts and seals mean, and needs a new wire version and a new file beside this one.
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "manifest-1.json").read_text())

ROOT = Entry(0, 0, b"", Kind.DIRECTORY, mode=0o755)
FILE = Entry(1, 0, b"file", Kind.FILE, mode=0o644, size=5)
TREE = {
    "root": Entry(0, 0, b"", Kind.DIRECTORY, 0o755, 0, 0, "root", "root", mtime_ns=1_700_000_000_123_456_789),
    "file": Entry(1, 0, b"file", Kind.FILE, 0o644, 1000, 1001, "alice", "staff", size=5, mtime_ns=-1),
    "directory": Entry(2, 0, b"d", Kind.DIRECTORY, 0o2775),
    "symlink": Entry(3, 2, b"up", Kind.SYMLINK, 0o777, target=b"../\xff"),
    "hardlink": Entry(4, 2, b"again", Kind.HARDLINK, link=1),
    "fifo": Entry(5, 2, b"a\nb", Kind.FIFO, 0o600, owner="j\u00f6rg"),
    "chardev": Entry(6, 2, b"null", Kind.CHARDEV, 0o666, device=0x103),
    "blockdev": Entry(7, 2, b"loop0", Kind.BLOCKDEV, 0o660, device=0x700),
    "attributes": Entry(8, 0, b"x", Kind.FILE, 0o4755, xattrs=((b"security.capability", b"\1\0"), (b"user.a", b""))),
}
CONTENT = Content(5, (b"\x11" * 32,), b"\x11" * 32)
EMPTY = Content(0, (), b"\x22" * 32)


def replaced(entry=FILE, **changes):
    return entry._replace(**changes)


def root_of(entries, algorithm="sha256", block_size=4194304, contents=None):
    builder = RootBuilder(block_size, algorithm)
    for entry in entries:
        content = (CONTENT if entry.size else EMPTY) if entry.kind == Kind.FILE else None
        builder.add(entry, (contents or {}).get(entry.number, content))
    return builder.digest()


# The encoding.


@pytest.mark.parametrize("name", TREE)
def test_the_released_encoding_of_entries(name):
    assert encode_entry(TREE[name]).hex() == GOLDEN["entries"][name]
    assert decode_entry(bytes.fromhex(GOLDEN["entries"][name])) == (TREE[name], len(GOLDEN["entries"][name]) // 2)


@relaxed
@given(strategies.entries(), st.binary(max_size=5), st.binary(max_size=5))
def test_what_is_encoded_is_decoded_wherever_it_stands(entry, before, after):
    encoded = encode_entry(entry)
    assert len(encoded) == encoded_size(entry)
    assert decode_entry(before + encoded + after, len(before)) == (entry, len(before + encoded))


@relaxed
@given(strategies.entries())
def test_a_cut_entry_is_refused(entry):
    encoded = encode_entry(entry)
    for end in {0, 1, manifest.LEAST_ENTRY - 1, manifest.LEAST_ENTRY, len(encoded) // 2, len(encoded) - 1}:
        if end < len(encoded):
            with pytest.raises(ManifestInvalid):
                decode_entry(encoded[:end])


@relaxed
@given(st.binary(max_size=400) | strategies.damaged(strategies.entries().map(encode_entry)))
def test_any_bytes_are_refused_or_are_the_one_encoding_of_an_entry(data):
    try:
        entry, end = decode_entry(data)
    except ManifestInvalid:
        return
    assert encode_entry(entry) == data[:end]


@pytest.mark.parametrize(
    "attributes", [b"\1\0\0", b"\2\0\0\0\0a", b"\1\0\0\0\2ab", b"\1\xff\xff\xff\xffa"], ids=bytes.hex
)
def test_attributes_that_end_beyond_their_entry_are_refused(attributes):
    plain = encode_entry(FILE)
    length_at = manifest.LEAST_ENTRY - 4
    head = plain[:length_at] + len(attributes).to_bytes(4, "big") + plain[manifest.LEAST_ENTRY :]
    with pytest.raises(ManifestInvalid, match="attribute"):
        decode_entry(head + attributes + b"of the next entry")


def test_an_entry_as_large_as_can_travel_is_taken_and_one_byte_more_is_not():
    whole = [(b"user.%02d" % number, bytes(manifest.MAX_XATTR_VALUE)) for number in range(15)]
    room = manifest.MAX_ENTRY - encoded_size(replaced(xattrs=(*whole, (b"user.15", b""))))
    full = replaced(xattrs=(*whole, (b"user.15", bytes(room))))
    assert len(encode_entry(full)) == manifest.MAX_ENTRY
    assert decode_entry(encode_entry(full))[0] == full
    with pytest.raises(ManifestInvalid, match=f"{manifest.MAX_ENTRY} can travel"):
        check_entry(replaced(full, name=b"longer"))


# What an entry may be.

HOSTILE = {
    "a slash in the name": replaced(name=b"a/b"),
    "an absolute name": replaced(name=b"/etc"),
    "the parent's name": replaced(name=b".."),
    "its own directory's name": replaced(name=b"."),
    "a zero byte in the name": replaced(name=b"a\0"),
    "no name": replaced(name=b""),
    "a name too long": replaced(name=b"a" * 256),
    "a parent after it": replaced(parent=1),
    "a negative parent": replaced(parent=-1),
    "a number out of range": replaced(number=manifest.MAX_NUMBER + 1),
    "a root with a name": replaced(ROOT, name=b"x"),
    "a root that is a link": Entry(0, 0, b"", Kind.SYMLINK, target=b"/etc"),
    "a root that is a device": Entry(0, 0, b"", Kind.BLOCKDEV, device=1),
    "mode bits beyond": replaced(mode=0o10000),
    "a negative mode": replaced(mode=-1),
    "the owner that chown leaves alone": replaced(uid=2**32 - 1),
    "the group that chown leaves alone": replaced(gid=2**32 - 1),
    "a time out of range": replaced(mtime_ns=2**63),
    "an owner with a newline": replaced(owner="root\nadmin"),
    "an owner that is no Unicode": replaced(owner="\udcff"),
    "an owner too long": replaced(group="\u00f6" * 128),
    "a negative size": replaced(size=-1),
    "a size beyond all files": replaced(size=2**63),
    "a directory with a size": replaced(ROOT, size=1),
    "a file with a target": replaced(target=b"x"),
    "a file with a device number": replaced(device=1),
    "a file that links": replaced(link=1, number=2),
    "a link to nothing": Entry(1, 0, b"l", Kind.SYMLINK),
    "a link with a zero byte": Entry(1, 0, b"l", Kind.SYMLINK, target=b"a\0b"),
    "a link too long": Entry(1, 0, b"l", Kind.SYMLINK, target=b"a" * 4096),
    "a device out of range": Entry(1, 0, b"l", Kind.CHARDEV, device=2**64),
    "a hard link to itself": Entry(1, 0, b"l", Kind.HARDLINK, link=1),
    "a hard link to the root": Entry(1, 0, b"l", Kind.HARDLINK, link=0),
    "a hard link with a mode": Entry(2, 0, b"l", Kind.HARDLINK, mode=0o4755, link=1),
    "a hard link with attributes": Entry(2, 0, b"l", Kind.HARDLINK, link=1, xattrs=((b"user.a", b""),)),
    "attributes out of order": replaced(xattrs=((b"user.b", b""), (b"user.a", b""))),
    "an attribute twice": replaced(xattrs=((b"user.a", b""), (b"user.a", b""))),
    "an attribute without a name": replaced(xattrs=((b"", b""),)),
    "an attribute's name too long": replaced(xattrs=((b"a" * 256, b""),)),
    "an attribute's name with a zero byte": replaced(xattrs=((b"a\0", b""),)),
    "an attribute too large": replaced(xattrs=((b"user.a", bytes(65537)),)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_entry_is_refused_with(what):
    with pytest.raises(ManifestInvalid) as refused:
        encode_entry(HOSTILE[what])
    assert refused.value.evidence == {"entry": HOSTILE[what].number}
    assert refused.value.text.isprintable()


def test_a_refusal_names_the_entry_and_every_reason():
    with pytest.raises(ManifestInvalid) as refused:
        check_entry(replaced(name=b"a/\xff", mode=0o10000, uid=2**32 - 1))
    for part in ("entry 1 (a/%FF)", "no slash", "mode 10000", "owner 4294967295:0"):
        assert part in refused.value.text


@pytest.mark.parametrize("name", TREE)
def test_what_a_tree_can_hold_is_not_refused(name):
    check_entry(TREE[name])


@pytest.mark.parametrize("name", [b"...", b"-rf", b"$(reboot)", b"a\nb", b"\xff\xfe", b" ", b"a" * 255])
def test_odd_names_are_names(name):
    check_entry(replaced(name=name))


# How entries follow each other.


def lineage(*entries):
    known = Lineage()
    for entry in entries:
        known.add(entry)
    return known


def test_a_whole_tree_is_taken():
    assert len(lineage(*TREE.values())) == len(TREE)


@pytest.mark.parametrize(
    ("before", "entry", "reason"),
    [
        ([ROOT], replaced(number=2), "where 1 is next"),
        ([ROOT, FILE], FILE, "where 2 is next"),
        ([ROOT, FILE], Entry(2, 1, b"below", Kind.FIFO), "parent 1 of #2 fifo below is not a directory"),
        ([replaced(ROOT, kind=Kind.FILE)], FILE, "parent 0"),
        ([ROOT, Entry(1, 0, b"d", Kind.DIRECTORY)], Entry(2, 0, b"l", Kind.HARDLINK, link=1), "cannot have two names"),
        ([ROOT, FILE, TREE["directory"], TREE["symlink"], TREE["hardlink"]],
         Entry(5, 0, b"l", Kind.HARDLINK, link=4), "cannot have two names"),
    ],
)  # fmt: skip
def test_an_entry_that_does_not_fit_those_before_is_refused(before, entry, reason):
    known = lineage(*before)
    with pytest.raises(ManifestInvalid, match=reason):
        known.add(entry)
    assert len(known) == len(before)


def test_an_entry_told_again_keeps_its_kind():
    known = lineage(ROOT, FILE)
    known.replace(replaced(size=6))
    with pytest.raises(ManifestInvalid):
        known.replace(Entry(1, 0, b"file", Kind.DIRECTORY))
    with pytest.raises(ManifestInvalid):
        known.replace(replaced(number=2))


# The root.


@pytest.mark.parametrize("algorithm", digests.available())
def test_the_released_roots(algorithm):
    assert root_of(TREE.values(), algorithm).hex() == GOLDEN["roots"][algorithm]


def test_a_single_file_has_a_root():
    only = replaced(ROOT, kind=Kind.FILE, size=5)
    assert root_of([only]) != root_of([replaced(only, mode=0o600)])


def test_the_root_depends_on_everything():
    tree = list(TREE.values())
    changed = [
        root_of(tree[:-1]),
        root_of([*tree[:-1], replaced(tree[-1], mode=0o755)]),
        root_of(tree, block_size=8388608),
        root_of(tree, contents={1: Content(5, (b"\x12" * 32,), b"\x11" * 32)}),
        root_of(tree, contents={1: Content(5, (b"\x11" * 32,), b"\x12" * 32)}),
    ]
    assert len({root_of(tree), *changed}) == 1 + len(changed)


def test_the_root_counts():
    builder = RootBuilder(4194304, "sha256")
    builder.add(ROOT)
    builder.add(FILE, CONTENT)
    assert (builder.entries, builder.files, builder.bytes) == (2, 1, 5)


@pytest.mark.parametrize(
    ("entry", "content", "reason"),
    [
        (replaced(number=2), CONTENT, "where 1 is next"),
        (FILE, None, "without content"),
        (Entry(1, 0, b"d", Kind.DIRECTORY), CONTENT, "with content"),
        (replaced(size=6), CONTENT, "announced with 6 bytes"),
    ],
)
def test_adding_what_does_not_fit_the_root_is_our_bug(entry, content, reason):
    builder = RootBuilder(4194304, "sha256")
    builder.add(ROOT)
    with pytest.raises(LocalError, match=reason):
        builder.add(entry, content)
