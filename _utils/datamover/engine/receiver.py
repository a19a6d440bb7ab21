"""The destination's end of a transfer: let the source in, write, verify against what it read, publish.

Threads: one at the door (and one for each connection that is being greeted), one for each bulk stream, one reads back,
two hold the control connection, one watches; in a further attempt one looks at what is there already. This file is the
story; see reception, holdings, inlets, intake, ledger, verifier, session for its parts.
"""

from dataclasses import asdict

from .. import wire
from ..disk.journal import Side
from ..errors import MetadataMismatch, ProtocolError, SealInvalid
from ..wire import Announce, Bye, Digests, Lost, Ping, Published, Restart, Seal, Sealed
from . import channel
from .door import Door
from .holdings import Holdings
from .inlets import Inlets
from .intake import Intake
from .keeping import Keeping, nothing
from .ledger import Ledger, State
from .outcome import Outcome
from .reception import Reception
from .session import Session
from .stop import Lane
from .terms import Roster, Terms
from .verifier import Verifier

DIFFERENCES_SHOWN = 10


class Receiver:
    """One use: run() carries out one attempt. It closes `listener`; `on_sealed()` gives the data its final name."""

    def __init__(self, spec, roster, identity, listener, staging, journal, progress, stop, on_sealed):
        self._terms = terms = Terms.of(spec)
        self._roster = Roster(roster)
        self._listener = listener
        self._staging = staging
        self._journal = journal
        journal.step = progress.step
        self._progress = progress
        self._on_sealed = on_sealed
        self._session = Session(terms, self._roster.source, progress, stop)
        stop = self._session.stop
        self._reception = self._new_reception(stop)
        context = channel.server_context(identity, self._roster.certificates)
        receive = self._reception.unsealed, self._reception.receive
        self._door = Door(listener, context, self._roster, not terms.encrypt, *receive, progress.tell, stop)
        self._ledger = Ledger(terms, journal, stop)
        look = Keeping(terms, staging, journal, self._ledger, progress, self._say).look if terms.compare else nothing
        self._times = times = self._session.times
        self._holdings = Holdings(terms, staging, look, self._say, progress.step, stop, times)
        known, found = (self._ledger, self._holdings), self._found_here
        self._verifier = Verifier(terms, staging, journal, *known, found, progress.step, stop, times)
        self._intake = Intake(terms, staging, *known, progress, self._verifier, found, times)
        self._assembly = wire.Assembly(terms.block_size)
        reception = self._reception
        self._inlets = Inlets(terms.streams, self._intake, reception.expect, self._say, progress.tell, stop)
        self._session.bulk = self._inlets
        self._ended = Lane(terms.streams, stop)
        self._seal = Lane(1, stop)
        self._retried = 0
        self._root = None

    def _new_reception(self, stop):
        return Reception(self._terms, self._roster, stop)

    @property
    def _streams(self):
        """What came on each bulk stream."""
        return self._inlets.figures

    def run(self):
        """Take everything; return the Outcome, whatever happens."""
        try:
            error, troubles = self._session.run(self._take)
        finally:
            self._reception.close()
            self._inlets.close()
            self._listener.close()
        return self.outcome(error, troubles)

    def outcome(self, error=None, troubles=()):
        """The figures as they are now; in `on_sealed`, those that will be published."""
        counts = self._journal.counts()
        return Outcome(
            error=error,
            root=self._root,
            entries=counts.entries,
            files=counts.files,
            directories=counts.directories,
            links=counts.links,
            bytes=counts.bytes,
            sparse_bytes=self._intake.sparse_bytes,
            moved_bytes=sum(stream["bytes"] for stream in self._streams),
            wire_bytes=sum(stream["wire_bytes"] for stream in self._streams),
            **asdict(self._staging.tallies),
            held_bytes=self._intake.held_bytes,
            resent_bytes=self._intake.resent_bytes,
            streams=self._streams,
            retried_entries=self._retried,
            report=self._staging.report,
            seconds=self._session.seconds,
            stages=self._times.stages(),
            cleanup=troubles,
        )

    def _take(self):
        self._session.crew.start("door", self._door.run)
        self._let_source_in()
        self._land_everything()
        self._seal_everything(self._seal.get())
        self._session.stop.check()
        # From here on the source's death changes nothing: everything is here, proved to be what it sealed.
        self._progress.enter("publishing")
        self._on_sealed()
        self._progress.enter("published")
        return Published(root=self._root, **self._terms.edition), Bye()

    def _let_source_in(self):
        link, opening = self._reception.control.get()
        self._intake.agreed = opening[-1][0].features
        self._session.converse(link, opening, self._hear)
        if self._terms.considers:
            self._session.crew.start("looking", self._holdings.run)

    def _land_everything(self):
        self._progress.enter("moving")
        self._staging.begin(self._session.stop)
        self._session.crew.start("verifier", self._verifier.run)
        for number, inlet in enumerate(self._inlets, 1):
            self._session.crew.start(f"stream {number}", self._take_stream, inlet)
        for _ in self._inlets:
            self._ended.get()

    def _take_stream(self, inlet):
        inlet.run(self._session.peer.host)
        self._ended.put(inlet)

    # After the last byte

    def _seal_everything(self, seal):
        """Make everything that is no file, and demand that all of it is what the source sealed."""
        self._progress.enter("verifying")
        self._ledger.check_landed()
        self._verifier.finish()
        self._ledger.check_verified()
        self._check_seal(seal)
        with self._times.on("write"):
            self._complete_metadata()
        with self._times.on("flush"):
            self._staging.sync()
        self._progress.enter("sealed")
        self._say(Sealed(root=self._root, level=self._terms.level, **self._terms.edition))

    def _check_seal(self, seal):
        self._check_signature(seal)
        self._check_root(seal)

    def _check_signature(self, seal):
        statement = wire.seal_statement(seal, self._terms.transfer, self._terms.attempt, self._session.peer.host)
        if not channel.verify(self._session.peer.certificate, statement, seal.signature):
            raise SealInvalid(f"the seal is not signed with the key of {self._session.peer.host} for this attempt")

    def _check_root(self, seal):
        self._root = self._journal.root(self._terms.block_size, self._terms.algorithm)
        counts = self._journal.counts()
        ours = seal_words(self._root, self._terms.algorithm, self._terms.block_size, counts)
        theirs = seal_words(seal.root, seal.algorithm, seal.block_size, seal)
        if ours != theirs:
            raise SealInvalid(f"{self._session.peer.host} sealed {theirs}; what is here is {ours}")

    def _complete_metadata(self):
        self._staging.make_specials()
        self._staging.apply_metadata()
        found = self._staging.check_metadata()
        if found:
            shown = "; ".join(map(str, found[:DIFFERENCES_SHOWN]))
            more = f" and {len(found) - DIFFERENCES_SHOWN} more" if len(found) > DIFFERENCES_SHOWN else ""
            raise MetadataMismatch(f"what is on the disk is not what was sent: {shown}{more}")

    # What is found out about files

    def _found_here(self, contents):
        """The verifier or the intake digested files."""
        self._journal.put_contents(Side.OWN, contents)
        self._compare(contents, ours=True)

    def _compare(self, contents, ours):
        """Compare digests, (number, try, Content) each, with those of the other end as far as they are here."""
        self._progress.add(bytes_verified=self._ledger.digested(contents, ours))

    # Hearing, in the control connection's thread

    def _hear(self, message):
        match message:
            case Ping():
                self._session.hear_ping(message)
            case Announce():
                self._take_announcement(message)
            case Digests():
                self._take_digests(message)
            case Restart():
                self._take_restart(message)
            case Lost():
                self._inlets[message.stream].lost(message.connection)
            case Seal():
                self._seal.put(message)
            case Bye():
                pass
            case _:
                raise ProtocolError(f"{self._session.peer.host} said what was not agreed on: {message}")

    def _take_announcement(self, announcement):
        self._ledger.check(announcement.entries)
        self._staging.announce(announcement.entries)
        self._ledger.announce(announcement.entries, last=not announcement.more)
        if self._terms.considers:
            self._holdings.consider(announcement.entries, last=not announcement.more)
        if not announcement.more:
            counts = self._journal.counts()
            self._progress.put(bytes_total=counts.bytes, files_total=counts.files, estimated=False)

    def _take_digests(self, digests):
        whole = [(part.entry, part.try_, self._assembly.add(part)) for part in digests.parts]
        self._compare([each for each in whole if each[2] is not None], ours=False)

    def _take_restart(self, restart):
        self._retried += 1
        self._assembly.forget(restart.entry.number)
        self._holdings.forget(restart.entry.number)
        with self._ledger.restarting(restart.entry, restart.try_) as (state, landing):
            size = self._journal.entry(restart.entry.number).size
            self._staging.restart(restart.entry, restart.try_)
        self._uncount(size, state, landing)
        if self._ledger.listed:
            self._progress.add(bytes_total=restart.entry.size - size)

    def _uncount(self, size, state, landing):
        if state >= State.LANDED:
            self._progress.add(bytes_done=-size, files_done=-1)
        elif landing:
            self._progress.add(bytes_done=-landing.landed)
        if state == State.VERIFIED:
            self._progress.add(bytes_verified=-size)

    def _say(self, message):
        with self._times.on("wait"):
            self._session.control.say(message)


def seal_words(root, algorithm, block_size, counts):
    """What a seal says, in words that compare."""
    what = f"{counts.entries} entries, {counts.files} files, {counts.bytes} bytes"
    return f"{what} with the {algorithm} root {root.hex()} over blocks of {block_size}"
