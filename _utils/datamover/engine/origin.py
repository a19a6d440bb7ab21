"""The source of a chain: it serves the first destination, and when that is lost the next one, from where that stands.

What was listed is listed once; what was read is read again only for who lacks it. There is one seal, whoever gets it.
"""

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

from ..errors import LocalError, SourceChanged
from ..manifest import Kind
from ..wire import Bye
from . import sender
from .hop import Hop
from .linksession import DownSession, Flow
from .making import Stream, Tree
from .onward import OF_A_LINK, Onward
from .order import Order, Succession
from .outcome import Chain, Outcome
from .pace import Pace
from .resupply import Resupply
from .session import Session
from .terms import Roster, Terms
from .throttle import Throttle


class Walk:
    """The list of a tree, made once, for any number of links at once: what was found for another one is given from the
    journal. Trouble while listing is everybody's, so that nobody takes it for the end of the list.
    """

    def __init__(self, tree, journal):
        self._journal = journal
        self._rest = iter(tree.walk())
        self._found = 0
        self._trouble = None
        self._listing = threading.Lock()

    def walk(self):
        numbers = count()
        while entry := self._entry(next(numbers)):
            yield entry

    def _entry(self, number):
        """None behind the last one."""
        with self._listing:
            return self._journal.entry(number) if number < self._found else self._find()

    def _find(self):
        if self._trouble:
            raise self._trouble
        try:
            entry = next(self._rest, None)
        except Exception as trouble:
            self._trouble = trouble
            raise
        self._found += entry is not None
        return entry


class SourceHop(Hop, sender.Reading):
    """A link of the source: to the nearest destination that lives, or to one that it serves beside that."""

    def __init__(self, *how, identity, origin):
        super().__init__(*how)
        self._origin = origin
        self._standing = None
        self._holds_back = False
        self._begin(origin.stock.listed(self._session.stop), identity)

    def _has_all(self):
        return self._holds_back or super()._has_all()

    def _begin_reading(self):
        self._origin.stock.begin(self._session.stop)

    def _new_supply(self):
        return Resupply(*self._supplied, origin=self._origin)

    @property
    def _sealed_root(self):
        return self._origin.seal and self._origin.seal.root

    def _read(self):
        self._standing = standing = self._standing_there()
        self._listing.known = standing.announced
        if standing.announced:
            self._have_nothing_told()
        self._supply = self._new_supply()
        self._supply.standing = standing
        self._progress.put(bytes_done=0, files_done=0)
        super()._read()

    def _send_files(self, entries):
        for entry in entries:
            now, try_ = self._tell_tries(self._standing, entry.number)
            if now.kind == Kind.FILE:
                self._supply.send(now, try_)

    def _tell_restart(self, entry, try_):
        with self._telling:
            self._told_tries[entry.number] = try_
            super()._tell_restart(entry, try_)

    def _record(self, number, try_, content):
        self._origin.stock.record(number, try_, content)
        if self._standing.has_verified(number, try_):
            self._found.keep(number, content, try_)
        else:
            super()._record(number, try_, content)

    def _seal(self):
        """One for all, so that nobody can have another; of a stream when all hold it, so that nobody has it before."""
        self._holds_back = True
        self._origin.stock.await_held(self._session.stop)
        self._holds_back = False
        self._say(self._origin.seal_once(self._new_seal))


class Origin:
    """One use: run() carries out one attempt. `throttle` holds a limit that may change meanwhile."""

    def __init__(self, spec, roster, identity, tree, journal, progress, stop, throttle=None):
        self._terms = Terms.of(spec)
        self._roster = Roster(roster)
        self._identity = identity
        self._tree = tree
        self._journal = journal
        self._progress = progress
        self._order = Order([member["host"] for member in roster["members"]], spec["host"])
        self._succession = Succession(self._order)
        first = self._roster.member(self._order.after[0])
        self._session = Session(self._terms, first, progress, stop)
        self._session.bulk = self
        self._throttle = throttle or Throttle(self._terms.limit, self._session.stop)
        self._flow = Flow(progress)
        told = progress.tell, self._is_own, self._left, self._session.stop
        self._onward = Onward(self._succession, self._new_hop, *told, self._serves_others, not self._terms.stream)
        self._hops = []
        self._taken = {}
        self._upto = 0
        self.walk = Walk(tree, journal)
        self.stock = self._new_stock()
        self.seal = None
        self._sealing = threading.Lock()

    def run(self):
        """Move everything; return the Outcome, whatever happens."""
        error, troubles = self._session.run(self._move)
        told = {"seconds": self._session.seconds, "stages": self._progress.times.stages(), "cleanup": troubles}
        known = sender.of_the_tree(self._tree, self._journal)
        chain = Chain((), self._onward.links, self._succession.lost)
        root = self.seal and self.seal.root
        return Outcome(error=error, root=root, chain=chain, **known, **self._figures(), **told)

    def _move(self):
        self._onward.run()
        if not any(result == "published" for result, _ in self._succession.ends.values()):
            raise self._onward.trouble or LocalError("no destination has published, and none said why")
        self._progress.enter("published")
        return (Bye(),)

    def _figures(self):
        """Those of all links together."""
        each = [hop.figures for hop in self._hops]
        total = Counter()
        for figures in each:
            total.update({name: value for name, value in figures.items() if name != "streams"})
        return {**total, "streams": tuple(stream for figures in each for stream in figures["streams"])}

    @property
    def reached(self):
        return self._flow.behind, [hop.reached for hop in self._hops]

    @property
    def troubles(self):
        return "".join(hop.troubles for hop in self._hops[-1:])

    # What was read

    def has_read(self, number):
        """Whether a file was read for another link, or this one, before."""
        return number < self._upto

    def read(self, number):
        self._upto = max(self._upto, number + 1)

    def seal_once(self, make):
        """The seal, which `make()` makes for whoever comes first."""
        with self._sealing:
            self.seal = self.seal or make()
        return self.seal

    @contextmanager
    def unsealed(self, rereads):
        """Around a change of what was read; no seal is made meanwhile. Gives whether it may be: there is no seal, nor,
        if what `rereads` was read before, another link over which that went.
        """
        with self._sealing:
            yield self.seal is None and not (rereads and self._onward.serves_several)

    # Serving

    def _new_stock(self):
        if not self._terms.stream:
            return Tree(self._tree, self.walk)
        own = self._session.crew, self._session.stop
        return Stream(self._tree, self._journal, lambda: self._onward.held, *own)

    @property
    def holding(self):
        """How much of a stream all destinations hold."""
        return self.stock.holding

    def new_pace(self):
        return Pace(*self.stock.slow)

    def _new_hop(self, host, epoch):
        terms = replace(self._terms, epoch=epoch)
        session = DownSession(terms, self._roster.member(host), self._progress, self._session.stop, lambda: 0)
        place = terms, self._roster, self._identity, session, self._tree, self._journal, self._progress
        hop = SourceHop(*place, self._throttle, self, identity=self._identity, origin=self)
        self._hops.append(hop)
        return hop

    def is_final(self, error):
        """What is wrong with the source ends all."""
        return self._session.stop.is_set() or self._is_own(error)

    def _is_own(self, error):
        """That the source changed after others had all of it ends only who lacks it."""
        late = isinstance(error, SourceChanged) and (self.seal is not None or error.evidence.get("late"))
        return not (late or isinstance(error, OF_A_LINK))

    def _serves_others(self):
        """A destination was served to its end or passed by: that is getting on, however long it took to give it up."""
        self._flow.rise()
        self.holding.note()

    def rise(self):
        """Somebody behind got on."""
        self._flow.rise()

    def look_at(self, hop, there):
        """Alone a slow destination cannot be told from a slow way to all. But of a stream it may lag behind another."""
        self._taken[hop.host] = there
        ahead = max((taken for host, taken in self._taken.items() if host != hop.host), default=0)
        if ahead:
            self._onward.look_at(hop, (ahead, self.stock.unhindered(ahead)), there)

    def carried(self):
        """Who is served has all."""
        self._onward.rise()

    def left_to_us(self, hop):
        """Who is served does not serve those behind it."""
        self._onward.left_to_us(hop)

    def not_reached(self, host):
        """Who is served cannot reach one behind it."""
        self._onward.try_too(host)

    def _left(self, _host, _result, _text=""):
        """Nobody comes before the source, who could be told of whom it serves no more."""

    def heard_of(self, host, result, text):
        """A destination has ended."""
        self._succession.tell(host, result, text)
