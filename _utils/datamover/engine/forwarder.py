"""A relay's link to who comes after it: what arrived here is announced, passed on, told and sealed again.

Threads: one announces, one passes files on as they land, one tells the digests of what was verified here; a stream each
carries. The list, the tries and the seal are those that the source told.
"""

from collections import deque
from functools import partial

from .. import digests, wire
from ..blocks import Content
from ..disk.journal import Side
from ..manifest import Kind
from ..wire import Announce
from .hop import Hop
from .ledger import State
from .listing import AHEAD, size_with_answer
from .passingon import PassingOn
from .stop import Lane


class Forwarder(Hop):
    """`stock` is what the relay has: `ledger`, `seal` (the source's, None until it was heard) and `partial`; `adrift`
    says whether it waits for more.
    """

    _supply = None  # The work may have stood still and ended already, which is looked at while this is being made.

    def __init__(self, terms, roster, identity, session, passing, journal, progress, throttle, stock):
        super().__init__(terms, roster, identity, session, passing, journal, progress, throttle, stock)
        self._stock = stock
        self._ledger = stock.ledger
        session.stop.on_set(lambda _reason: self._ledger.wake())
        self._announced = 0
        self._done = Lane(2, session.stop)

    @property
    def _sealed_root(self):
        return self._stock.seal.root

    def _has_all(self):
        return super()._has_all() and (self._supply is None or self._supply.waiting)

    @property
    def starves(self):
        return super()._has_all() and self._supply is not None and self._supply.reads

    @property
    def pushes_back(self):
        """Or its kernel has all that is here, and what it lacks it has not taken from there."""
        gave_all = self._supply is not None and self._supply.waiting and not any(each.giving for each in self._streams)
        return gave_all or super().pushes_back

    def _read(self):
        standing = self._standing_there()
        if self._stock.adrift:
            self.say_adrift()
        self._announced = standing.announced
        if standing.announced:
            self._have_nothing_told()
        passed, told = Again(self._ledger), Again(self._ledger)
        self._supply = self._passing_on(standing)
        self._session.crew.start("announcing", self._announce, standing)
        self._session.crew.start("telling", self._tell_digests, standing, told)
        self._pass_everything_on(standing, passed)
        self._streams.settle()
        self._streams.end()
        for _ in range(2):
            self._done.get()
        self._say(self._stock.seal)

    def _passing_on(self, standing):
        place = self._terms, self._tree, self._journal, self._streams, self._told, self._progress, self._times
        return PassingOn(*place, standing, self._ledger, self._stock.partial, self._session.stop)

    # The list

    def _announce(self, standing):
        for number, _ in self._ledger.tries():
            if number < standing.announced:
                self._tell_tries(standing, number)
        sequence, listed, said = 0, False, deque(maxlen=AHEAD)
        while not listed:
            known, listed = self._ledger.await_change(self._more_to_announce, self._session.stop)
            for entries in wire.batched(map(self._journal.entry, range(self._announced, known)), self._size_of):
                self._told.await_considered(said[0] if len(said) == AHEAD else 0)
                self._announce_batch(standing, sequence, entries)
                said.append(self._announced)
                sequence += 1
        self._say(Announce(sequence=sequence, more=False, entries=(), **self._terms.edition))
        self._done.put("announced")

    def _size_of(self, entry):
        if self._terms.considers:
            return size_with_answer(entry, self._terms.block_size)
        return wire.entry_size(entry)

    def _more_to_announce(self):
        """(entries that are known, whether these are all), when there is something to say."""
        known, listed = self._ledger.announced, self._ledger.listed
        return (known, listed) if listed or known > self._announced else None

    def _announce_batch(self, standing, sequence, entries):
        self._say(Announce(sequence=sequence, more=True, entries=entries, **self._terms.edition))
        self._announced += len(entries)
        for entry in entries:
            self._tell_tries(standing, entry.number)
        self._ledger.wake()

    # The bytes

    def _pass_everything_on(self, standing, passed):
        for number in self._numbers(self._supply.await_change):
            if self._journal.entry(number).kind == Kind.FILE:
                self._pass_on(standing, number, passed)
        while (number := self._next_again(passed)) is not None:
            self._pass_on(standing, number, passed)
        self._supply.finish()

    def _numbers(self, wait):
        """Those of all entries, as they become known; `wait(ready)` waits for more."""
        number = 0
        while wait(lambda upto=number: self._ledger.announced > upto or self._ledger.listed):
            if number >= self._ledger.announced:
                return
            yield number
            number += 1

    def _pass_on(self, standing, number, passed):
        entry, try_ = self._journal.known(number)[:2]
        if passed.was_done(number, try_):
            return
        if try_ > 1:
            self._supply.await_change(lambda: number < self._announced)
            entry, try_ = self._tell_tries(standing, number)
        if entry.kind != Kind.FILE or self._supply.pass_on(entry, try_):
            passed.done(number, try_)

    def _next_again(self, passed):
        """The next entry that began again meanwhile; None when the source has sealed, after which none does."""
        self._supply.await_change(lambda: passed.has_next or self._stock.seal)
        return passed.next() if passed.has_next else None

    # The digests

    def _tell_digests(self, standing, told):
        parts = Batch(self._say, self._terms.edition)
        for number in self._numbers(partial(self._await, parts)):
            self._tell_of(standing, number, told, parts)
        while self._await(parts, lambda: told.has_next or self._stock.seal) and told.has_next:
            self._tell_of(standing, told.next(), told, parts)
        parts.flush()
        self._done.put("told")

    def _await(self, parts, ready):
        """Wait for something; what is known is told before."""
        found = ready()
        if not found:
            parts.flush()
            found = self._ledger.await_change(ready, self._session.stop)
        return found

    def _tell_of(self, standing, number, told, parts):
        entry, try_ = self._journal.known(number)[:2]
        if entry.kind != Kind.FILE or told.was_done(number, try_):
            return
        if not self._is_verified(number, try_, parts):
            return  # it has begun again, and comes again
        told.done(number, try_)
        if standing.has_verified(number, try_) or self._told.keeps(number):
            return
        self._await(parts, lambda: number < self._announced)
        self._tell_tries(standing, number)
        parts.add(number, try_, self._content(entry))

    def _is_verified(self, number, try_, parts):
        def ready():
            state = self._ledger.state(number, try_)
            return "void" if state is None else state == State.VERIFIED and "verified"

        return self._await(parts, ready) == "verified"

    def _content(self, entry):
        """The digests of a verified file; an empty one may stand there untouched and have none yet."""
        found = self._journal.content(entry.number, Side.OWN)
        return found or Content.kept(entry.size, digests.constructor(self._terms.algorithm))


class Again:
    """Which tries of files are done, and which entries have begun again since. Only tries above 1 are counted."""

    def __init__(self, ledger):
        self._restarts = ledger.restarts
        self._next = len(ledger.restarts)
        self._done = {}

    def was_done(self, number, try_):
        return self._done.get(number) == try_

    def done(self, number, try_):
        if try_ > 1:
            self._done[number] = try_

    @property
    def has_next(self):
        return self._next < len(self._restarts)

    def next(self):
        self._next += 1
        return self._restarts[self._next - 1]


class Batch:
    """Digests on their way, in messages of a good size."""

    def __init__(self, say, edition):
        self._say = say
        self._edition = edition
        self._parts, self._size = [], 0

    def add(self, number, try_, content):
        self._parts += (parts := tuple(wire.parts_of(number, try_, content)))
        self._size += sum(map(wire.part_size, parts))
        if self._size >= wire.BATCH:
            self.flush()

    def flush(self):
        for message in wire.digest_messages(self._parts, **self._edition):
            self._say(message)
        self._parts, self._size = [], 0
