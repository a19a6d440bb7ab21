"""The source's end of a transfer: list, read, digest, send, seal, and wait for the destination to publish.

Threads: one reads the tree into loads, one for each bulk stream carries them, two hold the control connection, one
watches; in a further attempt one announces ahead of the reading, so that the destination can look what it has. This
file is the story; see listing, supply, loads, streams, carrier, control, session for its parts.
"""

from .. import digests, wire
from ..blocks import Content
from ..disk.journal import Side
from ..manifest import Kind
from ..wire import Restart, Seal
from . import channel
from .listing import Listing
from .outcome import Outcome
from .sending import Sending
from .session import Session
from .supply import Supply
from .terms import Roster, Terms
from .throttle import Throttle

MUCH = 1024 * 1024 * 1024
"""After so many bytes were read their digests are kept for another attempt."""


class Reading(Sending):
    """What the source sends over one link: `tree` is read, and must write into `journal`."""

    def _begin(self, walk, identity):
        """Make what is needed to read and to seal; `walk` lists the entries."""
        self._identity = identity
        self._journal.step = self._progress.step
        self._listing = Listing(self._terms, walk, self._say, self._session.crew, self._session.stop, self._times)
        self._new_hasher = self._times.hashing(digests.constructor(self._terms.algorithm))
        self._found = self._findings()
        self._supply = self._new_supply()
        self._root = None
        self._rechecked = 0

    def _findings(self):
        return Findings(self._terms, self._journal, self._say)

    def _new_supply(self):
        return Supply(*self._supplied)

    @property
    def _supplied(self):
        """What a supply is made of."""
        read = self._progress, self._record, self._tell_restart, self._times
        return self._terms, self._tree, self._journal, self._streams, self._told, *read

    @property
    def figures(self):
        """What was sent over this link, as an Outcome names it."""
        streams, again = self._streams.figures, self._rereader.bytes + self._rechecked
        return {
            "sparse_bytes": self._supply.sparse_bytes,
            "moved_bytes": sum(stream["bytes"] for stream in streams),
            "wire_bytes": sum(stream["wire_bytes"] for stream in streams),
            "held_bytes": self._supply.held_bytes,
            "resent_bytes": self._supply.resent_bytes,
            "streams": streams,
            "retried_entries": self._supply.retried,
            "trusted": self._supply.trusted,
            "read_bytes": self._supply.read_bytes + again,
            "reread_bytes": self._supply.reread_bytes + again,
        }

    # Reading, in a thread of its own

    def _read(self):
        self._progress.enter("moving")
        if self._terms.stream:
            self._streams.hurry()
        for entries in self._listing.announced():
            with self._times.on("read"):
                self._send_files(entries)
        self._supply.finish()
        counts = self._journal.counts()
        self._progress.put(bytes_total=counts.bytes, files_total=counts.files, estimated=False)
        self._recheck()
        self._streams.end()
        self._seal()

    def _send_files(self, entries):
        for entry in entries:
            if entry.kind == Kind.FILE:
                self._supply.send(entry)

    def _recheck(self):
        """Look again at what was so young when it was read that a change could have gone unseen."""
        self._found.flush()
        doubtful = self._tree.suspects()
        while changed := self._changed(doubtful):
            with self._times.on("read"):
                doubtful = [self._supply.send_again(entry) for entry in changed]
            self._supply.finish()
            self._found.flush()

    def _changed(self, doubtful):
        """Those that are not the same, and what had changed when a stream had to send it again; all else was taken."""
        changed = {entry.number: entry for entry in doubtful if not self._is_same(entry)}
        for number, try_ in self._streams.settle():
            known = self._journal.known(number)
            if known.try_ == try_:
                changed[number] = known.entry
        return changed.values()

    def _is_same(self, entry):
        self._progress.step()
        self._rechecked += entry.size
        with self._times.on("read"):
            return self._tree.recheck(entry, self._new_hasher, self._terms.block_size, self._progress.step)

    def _record(self, number, try_, content: Content):
        if self._told.keeps(number):
            self._found.keep(number, content)
        else:
            self._found.add(number, try_, content)

    def _tell_restart(self, entry, try_):
        self._say(Restart(try_=try_, entry=entry, **self._terms.edition))

    def _seal(self):
        seal = self._new_seal()
        self._root = seal.root
        self._say(seal)

    def _new_seal(self):
        counts = self._journal.counts()
        unsigned = {
            "root": self._journal.root(self._terms.block_size, self._terms.algorithm),
            "algorithm": self._terms.algorithm,
            "block_size": self._terms.block_size,
            "entries": counts.entries,
            "files": counts.files,
            "bytes": counts.bytes,
            **self._terms.edition,
        }
        statement = wire.seal_statement(
            Seal(**unsigned, signature=b""), self._terms.transfer, self._terms.attempt, self._terms.host
        )
        return Seal(**unsigned, signature=channel.sign(self._identity, statement))

    @property
    def _announced(self):
        return self._listing.count

    @property
    def _sealed_root(self):
        return self._root


class Sender(Reading):
    """The source of one destination. One use: run() carries out one attempt. `throttle` holds a limit that may change
    meanwhile.
    """

    def __init__(self, spec, roster, identity, tree, journal, progress, stop, throttle=None):
        terms, roster = Terms.of(spec), Roster(roster)
        session = Session(terms, roster.destination, progress, stop)
        throttle = throttle or Throttle(terms.limit, session.stop)
        super().__init__(terms, roster, identity, session, tree, journal, progress, throttle)
        self._begin(tree, identity)

    def run(self):
        """Move everything; return the Outcome, whatever happens."""
        error, troubles = self._session.run(self._move)
        known = of_the_tree(self._tree, self._journal)
        told = {"seconds": self._session.seconds, "stages": self._times.stages(), "cleanup": troubles}
        return Outcome(error=error, root=self._root, **known, **self.figures, **told)


def of_the_tree(tree, journal):
    """What was found of a tree at the source, as an Outcome names it."""
    counts, skipped = journal.counts(), tree.skipped
    return {
        "entries": counts.entries,
        "files": counts.files,
        "directories": counts.directories,
        "links": counts.links,
        "bytes": counts.bytes,
        "skipped": tuple(skipped.shown),
        "skipped_more": skipped.more,
        "excluded": tree.excluded,
        "report": tree.report,
    }


ROW = 64
"""What is counted for each file beside its digests."""


class Findings:
    """The digests of what was read, kept in the journal and told in batches."""

    def __init__(self, terms, journal, say):
        self._terms = terms
        self._journal = journal
        self._say = say
        self._contents, self._parts, self._size, self._length = [], [], 0, 0

    def add(self, number, try_, content):
        self._parts += wire.parts_of(number, try_, content)
        self._note(number, try_, content, wire.told_size(content))

    def keep(self, number, content, try_=1):
        """The destination needs not be told of this file."""
        self._note(number, try_, content, 0)

    def _note(self, number, try_, content, told):
        self._contents.append((number, try_, content))
        self._size += ROW + told
        self._length += content.length
        if self._size >= wire.BATCH or self._length >= MUCH:
            self.flush()

    def flush(self):
        """Write and tell what was not yet, so that it needs not be read again whatever happens to this process."""
        self._journal.put_contents(Side.OWN, self._contents)
        self._journal.flush()
        for message in wire.digest_messages(self._parts, **self._terms.edition):
            self._say(message)
        self._contents, self._parts, self._size, self._length = [], [], 0, 0
