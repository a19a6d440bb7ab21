"""What one end knows of every entry: `entries.db`, an sqlite3 file in the run directory, for millions of entries.

A hint, never a proof. After kill -9 the file is whole up to the last commit; after a power cut it may be stale or
damaged, because it is never fsynced: everything in it can be found again on the disk. Intent and verdict, which must
survive, are not kept here. Any thread may call any method: there is one connection behind one lock, and writes are
committed in batches.
"""

import logging
import os
import sqlite3
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain, islice
from typing import NamedTuple

from ..blocks import DIGEST, Content
from ..errors import LocalError
from ..manifest import Entry, Kind, RootBuilder
from . import records, sums
from .metadata import Identity

FORMAT = 1
COMMIT_EVERY = 20_000
ROWS = 1_000
PAGE = 256
PAGES = 64
FEW = 10_000
"""Names that are sorted in memory."""
LAST = 2**63 - 1

_SCHEMA = f"""
CREATE TABLE entries (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL,
    try INTEGER NOT NULL, suspect INTEGER NOT NULL DEFAULT 0);
CREATE INDEX suspects ON entries (number) WHERE suspect;
CREATE TABLE contents (number INTEGER, side INTEGER, try INTEGER NOT NULL, length INTEGER NOT NULL, whole BLOB NOT NULL,
    blocks BLOB NOT NULL, PRIMARY KEY (number, side)) WITHOUT ROWID;
CREATE TABLE listing (name BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE remembered (identity BLOB PRIMARY KEY, length INTEGER NOT NULL, whole BLOB NOT NULL, blocks BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE links (device_inode TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
"""
_SEALED = """
SELECT entries.number, kind, size, body, length, whole, blocks FROM entries LEFT JOIN contents
    ON contents.number = entries.number AND contents.try = entries.try AND side = ? WHERE entries.number > ?
    ORDER BY entries.number LIMIT ?
"""
_LISTING = "SELECT name FROM listing WHERE name > ? ORDER BY name LIMIT ?"


_REMEMBER = """
INSERT OR IGNORE INTO remembered SELECT identity_of(body), contents.length, whole, blocks FROM earlier.entries
    JOIN earlier.contents USING (number, try) WHERE side = 0 AND NOT suspect AND length(whole);
INSERT OR IGNORE INTO remembered SELECT * FROM earlier.remembered;
"""


log = logging.getLogger(__name__)


class Side(IntEnum):
    """Whose digests: what this host computed itself, or what the source said."""

    OWN = 0
    SOURCE = 1


class Known(NamedTuple):
    """An entry, which try of it is meant, and (at the source) the file it was."""

    entry: Entry
    try_: int
    identity: Identity | None


@dataclass(frozen=True, slots=True)
class Counts:
    entries: int
    files: int
    directories: int
    links: int
    bytes: int


class Journal:
    """`step` is called for each page that is read, so that a long walk through the entries is seen to get on.

    `earlier` are the journals of earlier attempts, the latest first; they are looked into when remembered() is asked.
    """

    def __init__(self, path, earlier=()):
        self._earlier = list(earlier)
        self.step = lambda: None
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._pages = OrderedDict()
        self._changes = 0
        self._prepare()

    def _prepare(self):
        for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -8192", "temp_store = MEMORY"):
            self._database.execute(f"PRAGMA {pragma}")
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            self._database.executescript(_SCHEMA)
        elif found != FORMAT:
            raise LocalError(f"the journal has format {found}; this version writes {FORMAT}")

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    # Writing

    def add(self, entries, identities=None):
        """Append announced entries, in the order of their numbers; the source adds the identity of each."""
        known = [
            Known(entry, 1, identity) for entry, identity in zip(entries, identities or _nones(entries), strict=True)
        ]
        with self._lock:
            self._many(
                "INSERT INTO entries (number, kind, size, body, try) VALUES (?, ?, ?, ?, 1)",
                [_row(each.entry, each.identity) for each in known],
            )
            for each in known:
                self._cache_new(each)

    def replace(self, entry, try_, identity=None):
        """An entry as it is now, announced again for another try. Its digests on both sides are forgotten."""
        with self._lock:
            number, kind, size, body = _row(entry, identity)
            self._many(
                "UPDATE entries SET kind = ?, size = ?, body = ?, try = ?, suspect = 0 WHERE number = ?",
                [(kind, size, body, try_, number)],
            )
            self._many("DELETE FROM contents WHERE number = ? AND try < ?", [(number, try_)])
            page = self._pages.get(number // PAGE)
            if page is not None:
                page[number] = Known(entry, try_, identity)

    def put_contents(self, side, contents):
        """Digests of files: (number, try, Content) each. They never replace those of a later try, and only those of
        an entry's present try are ever given back.
        """
        rows = [
            (number, side, try_, content.length, content.whole, _blocks_blob(content))
            for number, try_, content in contents
        ]
        with self._lock:
            self._many(
                "INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (number, side) DO UPDATE "
                "SET try = excluded.try, length = excluded.length, whole = excluded.whole, blocks = excluded.blocks "
                "WHERE excluded.try >= contents.try",
                rows,
            )

    def put_content(self, number, try_, content, side=Side.OWN):
        self.put_contents(side, [(number, try_, content)])

    def suspect(self, number):
        """Note that an entry was so young when it was read that a change could go unseen.

        It is to be checked again at seal.
        """
        with self._lock:
            self._many("UPDATE entries SET suspect = 1 WHERE number = ?", [(number,)])

    def first_name(self, identity, number):
        """The entry that first named this file: another one's number, or `number` itself, which is then remembered."""
        key = f"{identity.device}:{identity.inode}"
        with self._lock:
            row = self._database.execute("SELECT number FROM links WHERE device_inode = ?", (key,)).fetchone()
            if row is None:
                self._many("INSERT INTO links VALUES (?, ?)", [(key, number)])
            return row[0] if row else number

    def in_order(self, names):
        """The names (bytes) sorted. A few are sorted in memory, many by the database on the disk.

        One after the other: what was sorted before is forgotten.
        """
        few = list(islice(names, FEW))
        if len(few) < FEW:
            return iter(sorted(few))
        return self._sorted_on_disk(chain(few, names))

    def _sorted_on_disk(self, names):
        with self._lock:
            self._many("DELETE FROM listing", [()])
        names = iter(names)
        while batch := list(islice(names, ROWS)):
            with self._lock:
                self._many("INSERT OR IGNORE INTO listing VALUES (?)", [(name,) for name in batch])
        return (name for page in self._pages_of(_LISTING, first=b"") for (name,) in page)

    def _remember(self, path):
        """Take over what the journal of an earlier attempt knows of files, if there is one and it can be read.

        What was so young when it was read that a change could go unseen is not taken.
        """
        if not os.path.exists(path):
            return
        self.flush()
        self._database.create_function("identity_of", 1, records.identity_of, deterministic=True)
        try:
            self._database.execute("ATTACH DATABASE ? AS earlier", (os.fspath(path),))
            self._database.executescript(_REMEMBER)
        except sqlite3.Error as error:
            log.warning("what the earlier attempt read cannot be used, it is read again: %s", error)
        finally:
            self.flush()
            with suppress(sqlite3.Error):
                self._database.execute("DETACH DATABASE earlier")

    def remembered(self, identity):
        """The Content that a file of exactly this identity had in an earlier attempt, or None."""
        with self._lock:
            while self._earlier:
                self._remember(self._earlier.pop(0))
            row = self._database.execute(
                "SELECT length, whole, blocks FROM remembered WHERE identity = ?", (records.identity_bytes(identity),)
            ).fetchone()
        try:
            return _content(*row) if row else None
        except LocalError:  # then it is read again
            return None

    def flush(self):
        """Commit; until then what was written is lost with the process."""
        with self._lock:
            self._database.commit()
            self._changes = 0

    def close(self):
        with self._lock:
            self.flush()
            self._database.close()

    def _many(self, statement, rows):
        self._database.executemany(statement, rows)
        self._changes += len(rows)
        if self._changes >= COMMIT_EVERY:
            self.flush()

    # Reading

    def known(self, number):
        """The Known of an entry; KeyError if there is none."""
        with self._lock:
            return self._page(number // PAGE)[number]

    def entry(self, number):
        return self.known(number).entry

    def location(self, number):
        """(parent, name) of an entry: what safepath.Directories asks."""
        entry = self.entry(number)
        return entry.parent, entry.name

    def path(self, number):
        """The path of an entry below the root, empty for the root."""
        names = []
        while number:
            number, name = self.location(number)
            names.append(name)
        return b"/".join(reversed(names))

    def entries(self, kinds=tuple(Kind), reverse=False):
        """Entries of these kinds in the order of numbers, or backwards (the directory after what is in it)."""
        marks = ", ".join("?" * len(kinds))
        beyond, order = ("<", "DESC") if reverse else (">", "ASC")
        condition = f"kind IN ({marks}) AND number {beyond} ?"
        statement = f"SELECT number, body FROM entries WHERE {condition} ORDER BY number {order} LIMIT ?"
        rows = self._pages_of(statement, *map(int, kinds), first=LAST if reverse else -1)
        return (records.unpack(body)[0] for page in rows for _, body in page)

    def suspects(self):
        """Numbers of the entries to be checked again at seal."""
        return self._numbers("suspect AND number > ?")

    def content(self, number, side=Side.OWN):
        """The digests of a file's present try, None while unknown."""
        with self._lock:
            row = self._database.execute(
                "SELECT length, whole, blocks FROM contents JOIN entries USING (number, try) "
                "WHERE number = ? AND side = ?",
                (number, int(side)),
            ).fetchone()
        return _content(*row) if row else None

    def counts(self):
        """In one pass: to group by kinds sqlite would sort all entries, in memory."""
        kinds = ", ".join(f"total(kind = {int(kind)})" for kind in Kind)
        with self._lock:
            row = self._database.execute(f"SELECT count(*), ifnull(sum(size), 0), {kinds} FROM entries").fetchone()
        number = dict(zip(Kind, map(int, row[2:]), strict=True))
        return Counts(
            entries=row[0],
            files=number[Kind.FILE],
            directories=number[Kind.DIRECTORY],
            links=number[Kind.SYMLINK] + number[Kind.HARDLINK],
            bytes=row[1],
        )

    def sealed(self, side=Side.OWN):
        """(entry, Content or None) of every entry in order; LocalError at the first file without digests."""
        for rows in self._pages_of(_SEALED, int(side)):
            for _number, _kind, _size, body, *digests in rows:
                yield self._sealed_entry(records.unpack(body)[0], digests)

    @staticmethod
    def _sealed_entry(entry, digests):
        if entry.kind != Kind.FILE:
            return entry, None
        if digests[0] is None:
            raise _undigested(entry.number)
        return entry, _content(*digests)

    def root(self, block_size, algorithm, side=Side.OWN):
        """The manifest's root over all entries and this side's digests."""
        builder = RootBuilder(block_size, algorithm)
        for rows in self._pages_of(_SEALED, int(side)):
            for row in rows:
                _add_row(builder, *row)
        return builder.digest()

    def export_sums(self, path, root_name=b"", algorithm="sha256", side=Side.OWN):
        """Write digests as `sha256sum -c` and `b3sum -c` read them, names relative to the root, hard links included.

        `root_name` is the name of a single file that is itself the root; `algorithm` decides how a carriage return in
        a name is written (see sums). Files that are trusted have no digest and no line. Returns the number of lines.
        """
        count = 0
        with open(path, "wb") as out:
            for entry, content in self.sealed(side):
                whole = content.whole if content else self._whole_of_link(entry, side)
                if whole:
                    out.write(sums.line(whole, self.path(entry.number) or root_name, algorithm))
                    count += 1
        return count

    def _whole_of_link(self, entry, side):
        content = self.content(entry.link, side) if entry.kind == Kind.HARDLINK else None
        return content.whole if content else None

    def _numbers(self, condition, *arguments):
        statement = f"SELECT number FROM entries WHERE {condition} ORDER BY number LIMIT ?"
        return (number for rows in self._pages_of(statement, *arguments) for (number,) in rows)

    def _pages_of(self, statement, *arguments, first=-1):
        """Results in lists of bounded length, so that no cursor stays open between them.

        The first column is the number.
        """
        last = first
        while True:
            with self._lock:
                rows = self._database.execute(statement, (*arguments, last, ROWS)).fetchall()
            if not rows:
                return
            yield rows
            self.step()
            last = rows[-1][0]

    # A few thousand entries stay decoded, in pages of consecutive numbers: they are asked for much in the order they
    # were added.

    def _page(self, number):
        page = self._pages.get(number)
        if page is None:
            page = self._keep(number, self._read_page(number))
        return page

    def _keep(self, number, page):
        while len(self._pages) >= PAGES:
            self._pages.popitem(last=False)
        self._pages[number] = page
        return page

    def _read_page(self, number):
        first = number * PAGE
        with self._lock:
            rows = self._database.execute(
                "SELECT number, try, body FROM entries WHERE number BETWEEN ? AND ?",
                (first, first + PAGE - 1),
            ).fetchall()
        return {number: _known(try_, body) for number, try_, body in rows}

    def _cache_new(self, known):
        number = known.entry.number
        if number % PAGE == 0:
            self._keep(number // PAGE, {})
        page = self._pages.get(number // PAGE)
        if page is not None:
            page[number] = known


def _row(entry, identity):
    return entry.number, int(entry.kind), entry.size, records.pack(entry, identity)


def _known(try_, body):
    entry, identity = records.unpack(body)
    return Known(entry, try_, identity)


def _nones(entries):
    return [None] * len(entries)


def _blocks_blob(content):
    """The block digests in a row, none where the only one equals that of the whole; and a check of all of it."""
    length, blocks, whole = content
    row = b"" if len(blocks) == 1 and blocks[0] == whole else b"".join(blocks)
    return row + records.check_of(length, whole, row)


def _content(length, whole, blob):
    blocks = _checked_blocks(length, whole, blob)
    if not whole:
        return Content.unread(length)
    return Content(length, tuple(blocks[at : at + DIGEST] for at in range(0, len(blocks), DIGEST)), whole)


def _checked_blocks(length, whole, blob):
    """The block digests in a row."""
    blocks = blob[: -records.CHECK]
    if records.check_of(length, whole, blocks) != blob[-records.CHECK :]:
        raise LocalError("the journal is damaged: digests in it are not what was written")
    return blocks or (whole if length else b"")


def _undigested(number):
    return LocalError(f"entry {number} was never digested")


def _add_row(builder, number, kind, size, body, length, whole, blob):
    """Add to a root what stands in the journal of one entry."""
    if number != builder.entries:
        raise LocalError(f"the journal is damaged: entry {number} stands in it where {builder.entries} is next")
    encoded = records.encoded_of(body)
    if kind != Kind.FILE:
        builder.add_other(encoded)
    elif length is None:
        raise _undigested(number)
    elif length != size:
        raise LocalError(f"entry {number} was announced with {size} bytes and digested with {length}")
    else:
        builder.add_file(encoded, length, _checked_blocks(length, whole, blob), whole)
