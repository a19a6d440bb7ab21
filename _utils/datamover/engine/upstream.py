"""A destination's link to who serves it in a chain: one of several that there may be in the course of an attempt."""

from contextlib import suppress

from .. import wire
from ..errors import ConnectionLost
from ..wire import Adrift, Bye, Digests, Lost, Ping, Seal
from .inlets import Inlets
from .linksession import LinkSession
from .stop import Lane, Stopped

WORDS = 4096
NO_MORE = object()
"""The last word: nothing more is known, and nothing more will be."""


class Upstream:
    """`relay` is whose link it is; `words` are those that were said before, on other links. run() is for one thread."""

    def __init__(self, relay, coming, terms, progress, flow, stop):
        self.member = coming.member
        self.fresh = False
        self._relay = relay
        self._coming = coming
        self._terms = terms
        self._session = LinkSession(terms, coming.member, progress, stop, flow.from_behind)
        stop = self._session.stop
        stop.on_set(lambda _reason: relay.cut())
        told = relay.intake, relay.expect, self.say, progress.tell, stop
        self.inlets = self._session.bulk = Inlets(terms.streams, *told)
        self._assembly = wire.Assembly(terms.block_size)
        self._ended = Lane(terms.streams, stop)
        self._seal = Lane(1, stop)
        self._words = Lane(WORDS, stop)

    def give_up(self, reason):
        """End the link."""
        self._session.stop.set(reason)

    def say(self, message):
        self._session.control.say(message)

    @property
    def conversing(self):
        """Whether anything can be said."""
        return self._session.control is not None

    @property
    def over(self):
        """Whether who serves us said that all is over, be it in its last words."""
        return self.conversing and self._session.control.over

    def word(self, message):
        """Have a message said once all has landed, unless the link is over."""
        with suppress(Stopped):
            self._words.put(message)

    def run(self):
        """Take what comes until all is over; why the link ended, None if all is done."""
        try:
            error, _ = self._session.run(self._story)
        finally:
            self.inlets.close()
        self._await_threads()
        return error if error or self._session.control.parted else self._unheard()

    def _unheard(self):
        """Who does not say Bye may have heard nothing of what became of us."""
        host = self.member.host
        return ConnectionLost(f"{host} did not part when all was said", host=host, connection="control")

    def _await_threads(self):
        """What is still being written must not be taken for what comes on another link."""
        while self._session.crew.join(1.0):
            self._relay.check()
        self._relay.mend()

    def _story(self):
        self._relay.intake.agreed = self._coming.opening[-1][0].features
        self._coming.link.stop = self._session.stop
        self._session.converse(self._coming.link, self._coming.opening, self._hear)
        self._relay.begin()
        self._say_standing()
        for number, inlet in enumerate(self.inlets, 1):
            self._session.crew.start(f"stream {number}", self._take_stream, inlet)
        for _ in self.inlets:
            self._ended.get()
        self._relay.has_landed(self._seal.get())
        while (word := self._words.get()) is not NO_MORE:
            self.say(word)
        return (Bye(),)

    def _say_standing(self):
        announced, *there = self._relay.ledger.stand()
        self.fresh = announced == 0
        for message in wire.standing_messages(announced, *there, **self._terms.edition):
            self.say(message)
        for behind in tuple(self._relay.behinds):
            self.say(behind)
        self._relay.say_held()

    def _take_stream(self, inlet):
        inlet.run(self.member.host)
        self._ended.put(inlet)

    def _hear(self, message):
        match message:
            case Ping():
                self._session.hear_ping(message)
            case Digests():
                whole = [(part.entry, part.try_, self._assembly.add(part)) for part in message.parts]
                self._relay.hear_digests([each for each in whole if each[2] is not None])
            case Lost():
                self.inlets[message.stream].lost(message.connection)
            case Seal():
                self._seal.put(message)
            case Adrift(above=wire.LOST):
                self._relay.set_adrift(f"{self.member.host} has lost who came before it")
            case Adrift(above=wire.FOUND):
                self._relay.found_again()
            case Adrift():
                pass  # the failure that follows ends the link
            case _:
                self._relay.hear(message)

    def forget_parts(self, number):
        """A file begins again."""
        self._assembly.forget(number)
