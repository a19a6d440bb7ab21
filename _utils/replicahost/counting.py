"""Counts what a server holds at one position of its log: chunk checksums of rows, digests of definitions.

The result is a file on the host. What is told of it is small: its roots, and pages of it for whoever wants to see where
two of them differ.
"""

import hashlib
import itertools
import json
import os
import time
from pathlib import Path

from hosttools import backups, sums
from replicaplan.errors import DatabaseRefuses, NotProved, ReplicaRefused
from replicaplan.pairing import OLDEST

from . import notes

PATIENCE = 7 * 86400.0
LOCK_PATIENCE = 20
PAGE = 150
KEPT = 20
DEFINED_ANEW = "Definitions changed while the primary was counted; count again."
# What a table that was listed is told as when it was altered, renamed or dropped since.
CHANGED = frozenset({1049, 1054, 1146, 1412})


def count(server, state_dir, name, stands, lock_others=False):
    """Count this server and keep the result under a name: one that `stands` where it does, else in a snapshot.

    Both leave out tables of other engines unless `lock_others`, by one rule, as their counts are to be compared.
    Returns {"mark", "root", "tables", "rows", "objects", "unproved", "unproved_in_all", "seconds", "pages"}.
    """
    began = time.monotonic()
    lines = _standing(server, lock_others) if stands else _in_snapshot(server, lock_others)
    place = _file(state_dir, name)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    notes.save(place, lines)
    _forget_old(place.parent)
    return {**_told(lines), "seconds": round(time.monotonic() - began, 3)}


def _inventory(server):
    printed = server.documents(sums.inventory(), PATIENCE)
    _check_whole([each for each in printed if "engine" in each], "tables")
    _check_whole([each for each in printed if "virtual" in each], "columns")
    return sums.tables(printed)


def _check_whole(listed, what):
    """NotProved unless all is there: two servers whose lists are cut alike would be equal."""
    of = int(listed[0]["of"]) if listed else 0
    if len(listed) != of:
        raise NotProved(f"The server printed {len(listed)} of {of} {what}: something cuts its answers, as the variable "
                        "sql_select_limit does.")


def _standing(server, others):
    tables = _inventory(server)
    return _entries(tables, server.documents(standing_script(_counted(tables, others)), PATIENCE), others)


def _in_snapshot(server, lock_others):
    """NotProved, to be done again, if anything but rows changed between the first look at the tables and the last."""
    tables = _inventory(server)
    try:
        printed = server.documents(snapshot_script(tables, lock_others), PATIENCE)
    except DatabaseRefuses as error:
        if error.evidence.get("number") not in CHANGED:
            raise
        raise NotProved(f"{DEFINED_ANEW} {error.text}", again=True) from error
    if _inventory(server) != tables:
        raise NotProved(DEFINED_ANEW, again=True)
    return _entries(tables, printed, lock_others)


def check_version(version):
    """NotProved where the server lacks a function that counting needs."""
    if backups.series(version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise NotProved(f"A server {version} cannot be counted: MariaDB can compute CRC32C since {oldest}.")


def snapshot_script(tables, lock_others):
    """All in one session and one snapshot; definitions before it and at its end, so that the mark lies between them."""
    shaky = [table for table in tables if not sums.is_transactional(table)]
    firm = _counted(tables, others=False)
    begin = [sums.BEGIN, _marked("before"), *([sums.LOCK.format(seconds=LOCK_PATIENCE)] if lock_others else [])]
    locked = [*map(sums.count, shaky), sums.UNLOCK] if lock_others else []
    ends = [sums.SNAPSHOT, sums.MARK, *locked, *map(sums.count, firm), _marked("after")]
    return "\n".join([*begin, *ends])


def standing_script(tables):
    """Nothing changes here meanwhile, because the applying thread stands."""
    return "\n".join([sums.BEGIN, sums.STANDING, sums.SNAPSHOT, *map(sums.count, tables), _marked("after")])


def _marked(when):
    return f"SELECT JSON_OBJECT('what', 'definitions', 'when', '{when}');" + sums.definitions()


def _entries(tables, printed, others):
    """{"mark", "tables": [...], "objects": [...], "unproved": [...]} from what the session printed."""
    (mark,) = [each for each in printed if each["what"] == "mark"]
    starts = [number for number, each in enumerate(printed) if each["what"] == "definitions"]
    objects = _objects(printed[starts[-1]:])
    if _objects(printed[starts[0]:]) != objects and len(starts) > 1:
        raise NotProved(DEFINED_ANEW, again=True)
    chunks = [each for each in printed if each["what"] == "chunk"]
    counted = _counted(tables, others)
    return {
        "mark": {name: mark[name] for name in ("file", "position", "gtid")},
        "tables": [_table(table, chunks) for table in counted],
        "objects": objects,
        "unproved": [[table["schema"], table["name"], table["engine"]] for table in tables if table not in counted],
    }


def _counted(tables, others):
    return [table for table in tables if others or sums.is_transactional(table)]


def _objects(printed):
    """The digests of definitions up to the next mark, as [kind, name, digest]."""
    section = itertools.takewhile(lambda each: each["what"] not in ("definitions", "mark"), printed[1:])
    found = [each for each in section if "digest" in each]
    for kind, listed in itertools.groupby(found, key=lambda each: each["what"]):
        _check_whole(list(listed), f"definitions of kind {kind}")
    return [[each["what"], each["name"], each["digest"]] for each in found]


def _table(table, chunks):
    own = [each for each in chunks if (each["schema"], each["table"]) == (table["schema"], table["name"])]
    _check_whole(own, f"chunks of {table['schema']}.{table['name']}")
    lost = sum(int(each["lost"]) for each in own)
    if lost:
        raise NotProved(f"{lost} rows of {table['schema']}.{table['name']} could not be digested: max_allowed_packet?")
    rows = sum(int(each["rows"]) for each in own)
    return [table["schema"], table["name"], rows, sums.digest_of(own), [[e["chunk"], e["rows"], e["one"]] for e in own]]


def _told(lines):
    return {
        "mark": lines["mark"],
        "root": root(lines),
        "tables": len(lines["tables"]),
        "rows": sum(table[2] for table in lines["tables"]),
        "objects": len(lines["objects"]),
        "unproved": lines["unproved"][:PAGE],
        "unproved_in_all": len(lines["unproved"]),
        "pages": len(_paged(lines)),
    }


def root(lines):
    """One digest over every table and every definition."""
    tables = [table[:4] for table in lines["tables"]]
    return hashlib.sha256(json.dumps([tables, lines["objects"]], sort_keys=True).encode()).hexdigest()


def _paged(lines):
    """Tables and objects in one list, in pages: what a job's return can hold."""
    entries = [["row", *table[:4]] for table in lines["tables"]] + [["definition", *each] for each in lines["objects"]]
    return [entries[start : start + PAGE] for start in range(0, len(entries), PAGE)]


def page(state_dir, name, number):
    """One page of a result."""
    place = _file(state_dir, name)
    lines = notes.load(place)
    if lines is None:
        raise ReplicaRefused([f"This host keeps no count {name!r}."])
    pages = _paged(lines)
    return pages[number] if 0 <= number < len(pages) else []


def _file(state_dir, name):
    if not name.isalnum():
        raise ReplicaRefused([f"{name!r} is no name of a count."])
    return Path(state_dir) / "replica" / "counts" / f"{name}.json"


def _forget_old(place):
    """Keep the newest few."""
    found = sorted(place.glob("*.json"), key=os.path.getmtime)
    for path in found[:-KEPT]:
        path.unlink(missing_ok=True)
