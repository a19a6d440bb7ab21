"""What an update found at the destination: `standing.db`, an sqlite3 file, so that millions of entries cost no memory.

Of every file that stood under an announced name: which file it was, whether it is kept unread, and whether it is
another entry's already. Of the whole list its names, so that what stands beside them can be told; and what of that is
to be deleted.
Any thread may call any method. Like the journal it is a hint: all of it can be found again on the disk.
"""

import sqlite3
import threading
from struct import Struct
from typing import NamedTuple

from .metadata import Identity

ROWS = 1_000
COMMIT_EVERY = 20_000
_IDENTITY = Struct(">QQQqq")

_SCHEMA = """
CREATE TABLE bases (number INTEGER PRIMARY KEY, identity BLOB NOT NULL, kept INTEGER NOT NULL,
    taken INTEGER NOT NULL);
CREATE TABLE names (parent INTEGER, name BLOB, PRIMARY KEY (parent, name)) WITHOUT ROWID;
CREATE TABLE extras (position INTEGER PRIMARY KEY, parent INTEGER NOT NULL, path BLOB NOT NULL, directory INTEGER);
"""


class Base(NamedTuple):
    """A file that stood under an entry's name, and whether it stays there unread. `taken`: it stood under the name of
    an earlier file of the list too, and stays that one's.
    """

    identity: Identity
    kept: bool
    taken: bool = False


class Extra(NamedTuple):
    """Something that stands at the destination and is not in the source's list; `parent` is the listed directory."""

    parent: int
    path: bytes
    is_directory: bool


class Bases:
    def __init__(self, path):
        self._lock = threading.RLock()
        self._changes = 0
        self._database = sqlite3.connect(path, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -4096", "temp_store = MEMORY"):
            self._database.execute(f"PRAGMA {pragma}")
        # What an earlier attempt found is out of date.
        for table in ("bases", "names", "extras"):
            self._database.execute(f"DROP TABLE IF EXISTS {table}")
        self._database.executescript(_SCHEMA)

    def close(self):
        """May be called again."""
        with self._lock:
            self._database.close()

    # Files that stood there

    def put(self, bases):
        """Note what stands under entries' names now: (number, Base) each."""
        rows = [(number, _IDENTITY.pack(*base.identity), base.kept, base.taken) for number, base in bases]
        self._many("REPLACE INTO bases VALUES (?, ?, ?, ?)", rows)

    def get(self, number):
        """The Base of an entry, None if no file stood there."""
        row = self._one("SELECT identity, kept, taken FROM bases WHERE number = ?", number)
        return row and Base(Identity(*_IDENTITY.unpack(row[0])), bool(row[1]), bool(row[2]))

    # Names, and what stands beside them

    def add_names(self, entries):
        self._many("INSERT OR IGNORE INTO names VALUES (?, ?)", [(each.parent, each.name) for each in entries])

    def names(self, parent):
        """The names that the list has in a directory."""
        with self._lock:
            rows = self._database.execute("SELECT name FROM names WHERE parent = ?", (parent,)).fetchall()
        return {name for (name,) in rows}

    def add_extra(self, extra):
        self._many("INSERT INTO extras (parent, path, directory) VALUES (?, ?, ?)", [extra])

    def extras(self):
        """Every Extra in the order of add_extra()."""
        last = 0
        while True:
            with self._lock:
                rows = self._database.execute(
                    "SELECT position, parent, path, directory FROM extras WHERE position > ? ORDER BY position LIMIT ?",
                    (last, ROWS),
                ).fetchall()
            if not rows:
                return
            yield from (Extra(parent, path, bool(directory)) for _, parent, path, directory in rows)
            last = rows[-1][0]

    def _one(self, statement, *arguments):
        with self._lock:
            return self._database.execute(statement, arguments).fetchone()

    def _many(self, statement, rows):
        with self._lock:
            self._database.executemany(statement, rows)
            self._changes += len(rows)
            if self._changes >= COMMIT_EVERY:
                self._database.commit()
                self._changes = 0
