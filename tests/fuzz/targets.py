"""Everything that reads what others wrote, each as one function of bytes.

A target returns, or raises one of the errors that are declared for it: whatever else it raises is a finding. What it
takes whole it must take in any cut, and what it has read must be the one form of what it says.
"""

import gzip
import io
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [each for each in (str(CHECKOUT), str(CHECKOUT / "_utils")) if each not in sys.path]

from datamover import codecs, manifest, selection, wire  # noqa: E402
from datamover.disk import acl, records, safepath, sums  # noqa: E402
from datamover.disk.headroom import Headroom  # noqa: E402
from datamover.disk.metadata import Owners  # noqa: E402
from datamover.engine import sealing  # noqa: E402
from datamover.engine.terms import Roster  # noqa: E402
from datamover.errors import LocalError, MoverError, ProtocolError  # noqa: E402
from datamover.flow import segments  # noqa: E402
from datamover.flow.compressed import Opened  # noqa: E402
from datamover.flow.unpack import Unpacking  # noqa: E402
from datamover.wire import protocol  # noqa: E402
from hosttools import xbstream  # noqa: E402
from tests.unit.transferplan import samples as told  # noqa: E402
from tests.unit.transferworker import samples  # noqa: E402
from transferplan import facts, kinds, statement, status  # noqa: E402
from transferplan.errors import PlanError  # noqa: E402
from transferworker import control, rosters, spec  # noqa: E402

GOLDEN = CHECKOUT / "tests" / "golden"
SPEC = {**samples.spec(), "version": spec.VERSION}
NONCE = "0" * 32
SECRET = bytes(range(32))


@dataclass(frozen=True)
class Target:
    """`declared` are the errors that may come; `seeds` are inputs to begin with, most of them sound."""

    run: Callable[[bytes], None]
    declared: tuple[type[Exception], ...] = (MoverError,)
    seeds: tuple[bytes, ...] = field(default=(), repr=False)

    def __call__(self, data: bytes) -> None:
        try:
            self.run(data)
        except self.declared:
            return


# --- what travels ------------------------------------------------------------------------------------------------


def control_connection(data):
    """Messages: whole, byte by byte and by what is wanted, the same comes out."""
    whole = _read([data])
    assert whole == _read(data[at : at + 1] for at in range(len(data)))
    assert whole == _read(data[at : at + 7] for at in range(0, len(data), 7))


def _read(portions, *first):
    """The messages, and the class of the error that ended them."""
    reader, found = wire.Reader(*first), []
    try:
        for portion in portions:
            reader.feed(portion)
            found += reader.messages()
            assert reader.wanted <= wire.MAX_BODY + wire.HEADER_SIZE
    except MoverError as error:
        return found, type(error)
    return found, None


def opening(data):
    """The first message of a connection: never more than one is taken, nothing else is kept."""
    for first in ((wire.Hello,), (wire.Welcome, wire.Failed)):
        reader, at = wire.Reader(*first), 0
        while wanted := reader.wanted:
            portion = data[at : at + wanted]
            reader.feed(portion)
            messages = list(reader.messages())
            if messages or len(portion) < wanted:
                assert len(messages) <= 1 and all(isinstance(each, first) for each in messages)
                break
            at += wanted


def body(data):
    """One body, of the type in the first byte: what is taken is the one form of what it says."""
    kinds_known = list(wire.MESSAGES.items())
    number, kind = kinds_known[(data[0] if data else 0) % len(kinds_known)]
    frame = wire.Frame(number, wire.CRITICAL if kind.CRITICAL else 0, 0, len(data[1:])).encode() + data[1:]
    messages, error = _read([frame])
    assert error or len(messages) == 1
    for message in messages:
        later = isinstance(message, wire.Introduction) and message.version_max > wire.VERSION_MAX
        assert later or message.encode() == frame


def conversation(data):
    """Any messages against the turns of both roles, and the destination's account of digests."""
    messages, _ = _read([data])
    talk = protocol.Conversation("destination", connects=False)
    assembly = wire.Assembly(1 << 20)
    for message in messages:
        talk.received(message)
        if isinstance(message, wire.Hello):
            talk.sent(protocol.answer(message, message, message.host))
        for part in getattr(message, "parts", ()):
            assembly.add(part)


def entry(data):
    found, end = manifest.decode_entry(data)
    assert manifest.encode_entry(found) == data[:end] and manifest.encoded_size(found) == end


def pieces(data):
    """A bulk connection: prefixes and payloads, until it ends or is refused."""
    at = 0
    while len(data) - at >= wire.PIECE_PREFIX:
        piece = wire.unpack_piece(memoryview(data)[at : at + wire.PIECE_PREFIX])
        at += wire.PIECE_PREFIX
        if not isinstance(piece, wire.Piece):
            continue
        assert piece.payload <= wire.MAX_PIECE_BODY
        payload = memoryview(data)[at : at + piece.payload]
        if piece.kind == wire.PieceKind.PACKED and len(payload) == piece.payload:
            pack(payload)
        if piece.kind == wire.PieceKind.HELD_PACK and len(payload) == piece.payload:
            assert wire.pack_table(wire.unpack_held(payload)) == bytes(payload)
        at += piece.payload


def sealed(data):
    """Sealed records of a bulk connection, one after another: what is opened is what the other end would seal."""
    sealer, unsealer, at = sealing.Sealer(SECRET, sealing.OUT), sealing.Unsealer(SECRET, sealing.OUT), 0
    while len(header := data[at : at + sealing.LENGTH]) == sealing.LENGTH:
        size = unsealer.size(header)
        assert size <= sealing.MAX_RECORD + sealing.TAG
        end = at + sealing.LENGTH + size
        if len(data) < end:
            return
        opened = unsealer.open(header, memoryview(bytearray(data[at + sealing.LENGTH : end])))
        assert bytes(sealer.seal(opened)) == data[at:end]
        at = end


def pack(data):
    rows = wire.unpack_table(memoryview(data))
    table = wire.pack_table([(number, try_, len(view)) for number, try_, view in rows])
    assert table + b"".join(view for _, _, view in rows) == bytes(data)


def payload(data):
    """A compressed payload behind its codec and the length that it is to have: exactly so much, whatever it claims."""
    name = codecs.available()[(data[0] if data else 0) % len(codecs.available())]
    length = min(int.from_bytes(data[1:4], "big"), wire.MAX_DATA)
    assert len(codecs.new(name).unpack(data[4:], length)) == length


def access_list(data):
    owners = Owners("numbers")
    binary = acl.from_text(data, owners)
    assert acl.from_text(acl.to_text(binary, owners), owners) == binary
    acl.to_text(data, owners)


# --- documents ---------------------------------------------------------------------------------------------------


def document(read):
    """A target that takes JSON; what is none is nobody's."""

    def run(data):
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return
        read(found)

    return run


def _statement(found):
    signed = statement.Signed.from_return(found, "alpha")
    signed.signed_bytes()
    statement.Question("alpha", NONCE).payload_of(signed.statement)


def _roster(found):
    rosters.check(found, SPEC, "PEM of beta", None)
    Roster(found)


def _facts(found):
    facts.Facts.from_payload(found, "alpha")


def _status(found):
    status.Status.from_payload(found, "alpha")


def request(data):
    control.parse(data)


# --- what is on this host's own disk, or comes from people ---------------------------------------------------------


def record(data):
    records.unpack(data)


def checksum_line(data):
    digest, name = sums.parse(data)
    assert len(digest) == 32 and name


def path(data):
    text = data.decode("utf-8", "surrogateescape")
    assert safepath.encode_path(safepath.decode_path(text)) == text


def pattern(data):
    text = data.decode("utf-8", "surrogateescape")
    (plain,) = kinds.Patterns(exceptions=True).read([text])
    some = selection.Selection(exclude=[plain])
    for name in (data, b"a/b", b"x" * 255):
        assert some.takes(name, True) in (True, False)


# --- where they begin ----------------------------------------------------------------------------------------------


def _golden(name):
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def _frames():
    return [bytes.fromhex(each) for name, each in _golden("wire-1.json").items() if name in _MESSAGE_NAMES]


_MESSAGE_NAMES = {kind.__name__ for kind in wire.MESSAGES.values()}
_NUMBERED = list(wire.MESSAGES)
_DOCUMENT = (MoverError, PlanError)


def _bodies():
    for frame in _frames():
        yield bytes([_NUMBERED.index(frame[0])]) + frame[wire.HEADER_SIZE :]


def _documents(*found):
    return tuple(json.dumps(each).encode() for each in found)


def _bulk():
    golden = _golden("wire-1.json")
    told = [bytes.fromhex(golden[name]) for name in ("data piece", "hole piece", "packed piece", "mark", "end")]
    return (*told, b"".join(told))


def _records_sealed():
    sealer = sealing.Sealer(SECRET, sealing.OUT)
    told = [bytes(sealer.seal(text)) for text in (b"x", b"a piece" * 100)]
    return (told[0], b"".join(told))


def _payloads():
    for index, name in enumerate(codecs.available()):
        for plain in (b"a", b"abc" * 1000, bytes(1 << 20)):  # none stands for nothing: a piece has a byte
            yield bytes([index]) + len(plain).to_bytes(3, "big") + codecs.new(name).pack(plain)


def _packs():
    table = wire.pack_table([(1, 1, 3), (2, 1, 0), (7, 2, 1)])
    return (table + b"abcd", wire.pack_table([(0, 1, 0)]))


def _entries():
    return tuple(bytes.fromhex(each) for each in _golden("manifest-1.json")["entries"].values())


def _records():
    return tuple(records.pack(manifest.decode_entry(each)[0], None) for each in _entries())


# --- streams -----------------------------------------------------------------------------------------------------


def hot_backup(data):
    """What a backup's stream holds: whole and by seven bytes, the same is found."""
    whole, cut = xbstream.Inventory(), xbstream.Inventory()
    whole.add(data)
    for at in range(0, len(data), 7):
        cut.add(data[at : at + 7])
    assert (whole.files, whole.complete, whole.unknown) == (cut.files, cut.complete, cut.unknown)


def archive(data):
    """A tar archive, unpacked below a directory beside which nothing may appear."""
    with tempfile.TemporaryDirectory(prefix="salt-transfer-fuzz-") as home:
        place = Path(home, "place")
        place.mkdir()
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            opened = Opened(io.BytesIO(gzip.compress(data, compresslevel=0)), "gz")
            Unpacking(opened, descriptor, Headroom(descriptor, os.fsencode(place))).run()
        finally:
            os.close(descriptor)
            assert os.listdir(home) == ["place"]


def _archives():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        for name, kind in (("top/file", tarfile.REGTYPE), ("top/link", tarfile.SYMTYPE), ("top/hard", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, 5 if kind == tarfile.REGTYPE else 0
            member.linkname = {tarfile.SYMTYPE: "file", tarfile.LNKTYPE: "top/file"}.get(kind, "")
            made.addfile(member, io.BytesIO(b"bytes"))
    return (out.getvalue()[:3072],)


def _backups():
    head = xbstream.MAGIC + b"\0P\7\0\0\0ibdata1" + (4).to_bytes(8, "little") + bytes(12) + b"data"
    return (head + xbstream.MAGIC + b"\0E\7\0\0\0ibdata1",)


def targets():
    """Every target by name."""
    signed = _golden("statement-1.json")
    frames = _frames()
    return {
        "control": Target(control_connection, seeds=(*frames, b"".join(frames))),
        "opening": Target(opening, seeds=tuple(frames[:2])),
        "body": Target(body, seeds=tuple(_bodies())),
        "conversation": Target(conversation, seeds=(b"".join(frames),)),
        "entry": Target(entry, seeds=_entries()),
        "pieces": Target(pieces, seeds=_bulk()),
        "sealed": Target(sealed, (sealing.BrokenSeal,), _records_sealed()),
        "pack": Target(pack, (ProtocolError,), _packs()),
        "payload": Target(payload, (ProtocolError,), tuple(_payloads())),
        "acl": Target(access_list, (ValueError,), (b"owner:::rwx\nuser:1000:alice:r--\nother:::---",)),
        "statement": Target(document(_statement), _DOCUMENT, _documents(signed, *signed.values())),
        "spec": Target(document(lambda found: spec.check(found, "alpha")), _DOCUMENT, _documents(SPEC)),
        "roster": Target(document(_roster), _DOCUMENT, _documents(_golden("roster-1.json")["roster"])),
        "facts": Target(document(_facts), _DOCUMENT, _documents(told.alpha(), told.beta())),
        "status": Target(document(_status), _DOCUMENT, _documents(told.status(told.BETA, verdict=told.verdict()))),
        "request": Target(request, seeds=_documents({"do": "follow", "after_seq": 1, "wait": 2.5}, {"do": "go"})),
        "record": Target(record, (LocalError,), _records()),
        "sums": Target(checksum_line, (ValueError,), (b"\\" + b"a" * 64 + b"  na\\nme",)),
        "path": Target(path, (ValueError,), (b"/srv/%FF%0A", b"%41", b"/a b")),
        "hot-backup": Target(hot_backup, (), _backups()),
        "archive": Target(archive, (MoverError,), _archives()),
        "stream-report": Target(segments.decode, (ProtocolError,), (b'{"tool": "mariabackup", "coordinates": null}',)),
        "pattern": Target(pattern, (ValueError,), (b"!/a/**/b?[a-z]*", rb"\xff\*", b"[!]-a]", b"**/*a*a*b/")),
    }
