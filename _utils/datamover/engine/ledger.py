"""The destination's account of every file: announced, landed, digested by us and by the source, verified.

Landing and digests come from several threads in any order; nothing here touches a disk or a socket. A file is verified
when the digests of both ends, made by two processes, are equal.
"""

import threading
from contextlib import contextmanager
from enum import IntEnum

from ..blocks import block_range, check_blocks
from ..errors import DigestMismatch, ProtocolError, shown
from ..manifest import Kind, Lineage
from ..wire import PieceKind, Span, ranges_of
from .halves import Halves
from .stop import Changes, Stopped

OPEN_LANDINGS = 65_536
"""Files of which a part has landed; each costs memory. A source that reads file after file has a handful."""
OPEN_BLOCKS = 262_144
"""Blocks of which a part has landed, or that wait for one before them in their file; each costs memory. A source has
one for each stream, and at 4 MiB each a TiB may overtake a stream that stands still.
"""


class State(IntEnum):
    """How far an entry has come; what is no file has nothing to come."""

    NOTHING = 0
    ANNOUNCED = 1
    LANDED = 2
    VERIFIED = 3


class Landing:
    """A file that arrives in pieces. Within a block they come in order; blocks come as they like."""

    def __init__(self, entry, try_, block_size, builder=None):
        self.entry = entry
        self.try_ = try_
        self.landed = 0
        self.frontier = 0
        self.told = 0
        self.builder = builder
        self._block_size = block_size
        self._filled = {}
        self.changed = entry.size

    @property
    def complete(self):
        return self.landed == self.entry.size

    @property
    def open_blocks(self):
        """Blocks that are not complete, or wait for one before them."""
        return len(self._filled)

    def overtakes(self, piece):
        """Whether a piece begins a block beyond one that is not complete."""
        return piece.offset % self._block_size == 0 and piece.offset > self.frontier

    @property
    def held(self):
        """How much of the file's beginning was held: final once the frontier is beyond it.

        A file that began again began with nothing.
        """
        return min(self.frontier, self.changed) if self.try_ == 1 else 0

    def check(self, piece):
        """ProtocolError for a piece that is not the next of its block."""
        at = piece.offset % self._block_size
        known = self.frontier <= piece.offset and piece.offset + piece.length <= self.entry.size
        in_block = at == self._filled.get(piece.offset - at, 0) and at + piece.length <= self._block_size
        whole = piece.kind != PieceKind.HELD or (known and piece.length == self._length_of(piece.offset - at))
        if not (known and in_block and whole) or (self.builder and piece.offset != self.builder.length):
            raise ProtocolError(f"{piece} is not the next of {self.entry}, of which {self.landed} bytes have landed")

    def add(self, piece):
        """A checked piece has been written. All bytes before `frontier`, in whole blocks, are there."""
        block = piece.offset - piece.offset % self._block_size
        self._filled[block] = self._filled.get(block, 0) + piece.length
        self.landed += piece.length
        if piece.kind != PieceKind.HELD:
            self.changed = min(self.changed, block)
        while self.frontier in self._filled and self._filled[self.frontier] == self._length_of(self.frontier):
            self.frontier += self._filled.pop(self.frontier)

    @property
    def reach(self):
        """(frontier, {block: bytes of it}) of what has landed."""
        return self.frontier, dict(self._filled)

    def spans(self, number):
        """What has landed, as Spans."""
        yield Span(number, self.try_, 0, self.frontier)
        yield from (Span(number, self.try_, block, length) for block, length in sorted(self._filled.items()))

    def _length_of(self, block):
        return block_range(block // self._block_size, self.entry.size, self._block_size)[1]


class Ledger:
    """For any thread. While restarting() is entered the journal may be changed, and nobody here looks into it."""

    def __init__(self, terms, journal, stop):
        self.listed = False
        self.restarts = []
        self._link = 0
        self._shared = False
        self._terms = terms
        self._journal = journal
        self._lock = threading.RLock()
        self._changed = Changes(stop, self._lock)
        self._grown = Changes(stop, self._lock)  # all that, and each piece that lands
        self._lineage = Lineage()
        self._states = bytearray()
        self._tries = {}
        self._landings = {}
        self._open_blocks = 0
        self._halves = Halves(journal)

    # What the source tells

    def check(self, entries):
        """ManifestInvalid unless these can be the next entries."""
        for entry in entries:
            self._lineage.add(entry)
            self._check_blocks(entry)

    def _check_blocks(self, entry):
        """Before anything of a file comes, and not when its digests do."""
        check_blocks(entry.size, self._terms.block_size, entry.name)

    def announce(self, entries, last):
        """Checked entries may land from now on."""
        with self._changed:
            self._states += bytes(State.ANNOUNCED if entry.kind == Kind.FILE else State.NOTHING for entry in entries)
            self.listed = last
            self._notify()

    def trust(self, number):
        """A file that is not to come, because it is kept as it is; its size."""
        with self._lock:
            self._states[number] = State.VERIFIED
            self._tell_on()
            return self._journal.entry(number).size

    @contextmanager
    def restarting(self, entry, try_):
        """Around discarding what came of an earlier try. Gives its state and Landing (or None)."""
        with self._changed:
            self._check_announced(entry.number)
            self._lineage.replace(entry)
            self._check_blocks(entry)
            number, state = entry.number, self._states[entry.number]
            if try_ != self._tries.get(number, 1) + 1:
                raise ProtocolError(f"{entry} begins try {try_} after try {self._tries.get(number, 1)}")
            yield state, self._close(number)
            self._halves.drop(number)
            self._tries[number] = try_
            self._states[number] = min(state, State.ANNOUNCED)
            if self._shared:
                self.restarts.append(number)
            self._notify()

    # What lands

    def await_try(self, number, try_):
        """Wait until this try of an entry was announced; False if a later one was, so that this one is void.

        Stopped when the link that it came on is cut() meanwhile: another one may bring the same.
        """
        with self._changed:
            link = self._link
            self._changed.until(lambda: link != self._link or self._knows(number, try_))
            if link != self._link:
                raise Stopped
            return self._is_current(number, try_)

    def cut(self):
        """The link to the source is over, and who waits for what it would tell waits no more."""
        with self._changed:
            self._link += 1
            self._notify()

    def awaited(self, pack):
        """Those files of a pack, (number, try, bytes) each, that may land whole now; void tries are left out.

        Waits until all of them were announced; Stopped as in await_try().
        """
        with self._changed:
            for number, try_, _ in pack:
                if not self._knows(number, try_):
                    self.await_try(number, try_)
            return [file for file in pack if self._may_land(*file)]

    def _may_land(self, number, try_, view):
        if not self._is_current(number, try_):
            return False
        entry = self._awaited(number)
        if len(view) != entry.size or number in self._landings:
            raise ProtocolError(f"{entry} came with {len(view)} bytes in a pack, though it has {entry.size} bytes")
        return True

    def landing(self, piece, make_builder):
        """The Landing that a piece belongs to, after checking that it fits; None if its try is void."""
        with self._lock:
            if not self._is_current(piece.entry, piece.try_):
                return None
            landing = self._landings.get(piece.entry) or self._new_landing(piece, make_builder)
            landing.check(piece)
            if self._open_blocks >= OPEN_BLOCKS and landing.overtakes(piece):
                raise ProtocolError(
                    f"{piece} begins one more block while {OPEN_BLOCKS} others are not complete or wait for one before"
                )
            return landing

    def _new_landing(self, piece, make_builder):
        if len(self._landings) >= OPEN_LANDINGS:
            raise ProtocolError(f"{piece} begins one more file while {OPEN_LANDINGS} others are not complete")
        landing = Landing(self._awaited(piece.entry), piece.try_, self._terms.block_size, make_builder())
        self._landings[piece.entry] = landing
        return landing

    def _awaited(self, number):
        """A file of which nothing has landed yet, or not all."""
        if self._states[number] != State.ANNOUNCED:
            raise ProtocolError(f"bytes came for {self._journal.entry(number)}, which is complete or no file")
        return self._journal.entry(number)

    def _close(self, number):
        """What has landed of a file needs no account any more; its Landing, or None."""
        landing = self._landings.pop(number, None)
        self._open_blocks -= landing.open_blocks if landing else 0
        return landing

    def add(self, landing, piece):
        """A piece has been written; False if its try became void meanwhile."""
        with self._lock:
            current = self._landings.get(landing.entry.number) is landing
            if current:
                before = landing.open_blocks
                landing.add(piece)
                self._open_blocks += landing.open_blocks - before
                if self._shared:
                    self._grown.notify_all()
            return current

    def landed(self, files):
        """Whole files, (number, try, bytes) each, were written: those of them whose try still counts have landed."""
        with self._lock:
            current = [file for file in files if self._is_coming(file[0], file[1])]
            for number, _, _ in current:
                self._states[number] = State.LANDED
            self._tell_on()
            return current

    def _is_coming(self, number, try_):
        return self._states[number] == State.ANNOUNCED and self._is_current(number, try_)

    @contextmanager
    def completing(self, number, try_):
        """Around the last touch of a file. Gives whether this try still counts; if it does the file has landed."""
        with self._lock:
            current = self._is_coming(number, try_)
            yield current
            if current:
                self._close(number)
                self._states[number] = State.LANDED
                self._tell_on()

    # What both ends digested

    def digested(self, contents, ours):
        """Take digests of one end, (number, try, Content) each; the bytes that are verified now.

        DigestMismatch if the ends differ.
        """
        with self._lock:
            verified = sum(
                content.length for number, try_, content in contents if self._verifies(number, try_, content, ours)
            )
            self._tell_on()
            return verified

    def _verifies(self, number, try_, content, ours):
        if not ours:
            self._check_told(number, try_, content)
        if not self._is_current(number, try_):
            return False
        half = self._halves.take(number)
        if half is None:
            self._halves.put(number, try_, content, ours)
            return False
        other, whose = half
        if whose == ours:
            raise _twice(number)
        if content != other:
            raise self._mismatch(number, *((content, other) if ours else (other, content)))
        self._states[number] = State.VERIFIED
        return True

    def _check_told(self, number, try_, content):
        """ProtocolError unless the source can tell this now; digests of an older try may be of another length."""
        self._check_announced(number)
        entry, current = self._journal.entry(number), self._tries.get(number, 1)
        if entry.kind != Kind.FILE or try_ > current:
            raise ProtocolError(f"digests came of try {try_} of {entry}, which is at try {current} or no file")
        if try_ == current and self._states[number] == State.VERIFIED:
            raise _twice(number)
        if try_ == current and content.length != entry.size:
            raise ProtocolError(f"digests came of {content.length} bytes of {entry}, which has {entry.size} bytes")

    def _check_announced(self, number):
        if number >= len(self._states):
            raise ProtocolError(f"entry {number} was spoken of, but only {len(self._states)} were announced")

    def is_current(self, number, try_):
        with self._lock:
            return self._is_current(number, try_)

    def is_landing(self, number, try_):
        """Whether this try of a file counts and is not complete."""
        with self._lock:
            return self._is_coming(number, try_)

    # What is passed on, in a chain

    def share(self):
        """Somebody passes on what lands, and waits for it."""
        self._shared = True

    def _tell_on(self):
        """For who passes on: something has landed or was verified."""
        if self._shared:
            self._notify()

    def _notify(self):
        self._changed.notify_all()
        self._grown.notify_all()

    def await_change(self, ready, stop):
        """Wait until `ready()`, which may ask for what is here; what it gave. Ends with `stop`, which must wake()."""
        return self._await(self._changed, ready, stop)

    def await_growth(self, ready, stop):
        """The same for who asks for the bytes of a file that is not complete."""
        return self._await(self._grown, ready, stop)

    def _await(self, changes, ready, stop):
        with changes:
            found = []
            changes.until(lambda: stop.is_set() or found.append(ready()) or found[-1])
            stop.check()
            return found[-1]

    def wake(self):
        """What somebody waits for may have come to be elsewhere."""
        with self._changed:
            self._notify()

    @property
    def announced(self):
        """How many entries were announced."""
        return len(self._states)

    def tries(self):
        """(number, try) of every entry that has begun again."""
        with self._lock:
            return sorted(self._tries.items())

    def state(self, number, try_):
        """The State of a try; None if it is void."""
        with self._lock:
            return State(self._states[number]) if self._is_current(number, try_) else None

    def arrival(self, number, try_):
        """(bytes, frontier, what of which block beyond) that have landed of a file; None if this try is void."""
        with self._lock:
            if not self._is_current(number, try_):
                return None
            size = self._journal.entry(number).size
            if self._states[number] >= State.LANDED:
                return size, size, {}
            landing = self._landings.get(number)
            return (landing.landed, *landing.reach) if landing else (0, 0, {})

    def stand(self):
        """(entries announced, ranges of those that landed whole, of those that were verified, Spans of the rest).

        What the source told of the digests of what is not verified is forgotten: it will be told again.
        """
        with self._lock:
            self._halves.drop_told()
            landed, verified = ranges_of(self._numbers(State.LANDED)), ranges_of(self._numbers(State.VERIFIED))
            begun = [span for number, landing in self._landings.items() for span in landing.spans(number)]
            tries = [Span(number, try_, 0, 0) for number, try_ in self._tries.items() if number not in self._landings]
            return len(self._states), landed, verified, sorted([*begun, *tries], key=lambda span: span.entry)

    def _numbers(self, state):
        mark = bytes((state,))
        at = self._states.find(mark)
        while at >= 0:
            yield at
            at = self._states.find(mark, at + 1)

    # The end

    def check_landed(self):
        """All streams have ended: ProtocolError if a file is missing."""
        self._check_beyond(State.ANNOUNCED, "did not come, though all streams have ended")

    def check_verified(self):
        """All was digested: ProtocolError if the source did not tell its digests of a file."""
        self._check_beyond(State.LANDED, "was sealed without digests from the source")

    def _check_beyond(self, state, trouble):
        with self._lock:
            number = self._states.find(state)
        if not self.listed or number >= 0:
            missing = shown(self._journal.path(number)) if number >= 0 else "the end of the list"
            raise ProtocolError(f"{missing} {trouble}")

    def _knows(self, number, try_):
        if number >= len(self._states) and self.listed:
            raise ProtocolError(f"a piece came for entry {number}, but only {len(self._states)} were announced")
        return number < len(self._states) and try_ <= self._tries.get(number, 1)

    def _is_current(self, number, try_):
        return try_ == self._tries.get(number, 1)

    def _mismatch(self, number, ours, theirs):
        path = self._journal.path(number)
        text, evidence = difference(ours, theirs, self._terms.block_size)
        return DigestMismatch(
            f"{shown(path) or 'the file'}: {text}; nothing was published", path=path, entry=number, **evidence
        )


def _twice(number):
    return ProtocolError(f"the digests of entry {number} came twice")


def difference(ours, theirs, block_size):
    """Where two Contents of one file first differ: words and evidence."""
    if ours.length != theirs.length:
        text = f"{ours.length} bytes arrived of the {theirs.length} that the source read"
        return text, {"here": ours.length, "source": theirs.length}
    pairs = zip(ours.blocks, theirs.blocks, strict=True)
    index = next((index for index, (one, other) in enumerate(pairs) if one != other), None)
    here, source = (ours.whole, theirs.whole) if index is None else (ours.blocks[index], theirs.blocks[index])
    evidence = {"here": here.hex(), "source": source.hex()}
    if index is None:
        return f"the digest of the whole is {here.hex()} here and {source.hex()} at the source", evidence
    offset = index * block_size
    where = f"block {index} (from offset {offset}) has the digest {here.hex()} here and {source.hex()} at the source"
    return where, {**evidence, "block": index, "offset": offset}
