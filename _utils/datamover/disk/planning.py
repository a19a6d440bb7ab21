"""Decides what an update has to do: every entry against what stands under its name, once all is verified and staged.

Nothing is changed here but the list of steps in the staging directory.
"""

import os
from collections import Counter
from dataclasses import dataclass

from ..manifest import Kind
from .metadata import Identity, kind_of
from .safepath import split_final
from .steps import Do, Step, Writer, below


@dataclass(frozen=True, slots=True)
class Tallies:
    """Entries that are made, replaced or mended, left as they are, removed; and files among them that were not read."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    trusted: int = 0


def plan(staging):
    """Write the steps into the staging directory and tell the Tallies; refuses what cannot be done."""
    with Writer(staging.anchor) as steps:
        planner = Planner(staging, steps)
        planner.plan_entries()
        planner.plan_deletions()
        planner.plan_directories()
    return planner.tallies()


class Planner:
    def __init__(self, staging, steps):
        self._staging = staging
        self._standing = staging.standing
        self._journal = staging.journal
        self._steps = steps
        self._name = split_final(staging.final)[1]
        self._counts = Counter()
        entries = self._journal.counts().entries
        self._touched, self._provided = bytearray(entries), bytearray(entries)

    def tallies(self):
        return Tallies(**self._counts, trusted=self._staging.trusted)

    def plan_entries(self):
        for entry in self._journal.entries():
            status = self._standing.look(entry)
            kind = self._standing.kind(entry)
            if status is None:
                self._create(entry)
            elif kind_of(status.st_mode) != kind:
                self._create(entry, aside=True)
            else:
                self._compare(entry, status)
            self._staging.step()

    def plan_deletions(self):
        for extra in self._staging.bases.extras():
            self._touched[extra.parent] = True
            self._counts["deleted"] += 1
            self._add(Do.DELETE, self._below(extra.path))

    def plan_directories(self):
        """Last, from the bottom up: what is done in a directory changes its times."""
        for entry in self._journal.entries((Kind.DIRECTORY,), reverse=True):
            if self._touched[entry.number]:
                self._add(Do.TEND, self._path(entry), entry=entry)

    def _create(self, entry, aside=False):
        if aside and self._standing.is_mounted(self._journal.path(entry.number)):
            raise self._standing.mounted(self._journal.path(entry.number))
        self._counts["changed" if aside else "created"] += 1
        self._touch_parent(entry)
        if entry.kind == Kind.DIRECTORY:
            self._touched[entry.number] = True
            self._add(Do.DIRECTORY, self._path(entry), entry.number, new=not aside, aside=aside)
        else:
            self._provide(entry, new=not aside, aside=aside)

    def _provide(self, entry, new=False, aside=False):
        """Put something in place that is no directory."""
        self._provided[entry.number] = True
        if entry.kind == Kind.HARDLINK:
            first = self._path(self._journal.entry(entry.link))
            self._add(Do.LINK, self._path(entry), entry.number, new=new, aside=aside, first=first)
            return
        if entry.kind != Kind.FILE:
            self._staging.make_special(entry)
        elif not self._staging.is_staged(entry.number):
            raise self._standing.changed(entry)  # it was held, and now is gone
        self._add(Do.PUT, self._path(entry), entry.number, new=new, aside=aside)

    def _compare(self, entry, status):
        if entry.kind == Kind.HARDLINK:
            differs = self._is_other_file(entry, status)
        elif entry.kind == Kind.FILE and self._staging.is_staged(entry.number):
            differs = True
            self._check_known(entry)
        else:
            self._compare_metadata(entry, status)
            return
        self._counts["changed" if differs else "unchanged"] += 1
        if differs:
            self._touch_parent(entry)
            self._provide(entry)

    def _is_other_file(self, entry, status):
        """Whether a hard link's name is not, or will not be, a name of the same file as its first name."""
        first = self._journal.entry(entry.link)
        found = self._standing.look(first)
        return self._provided[first.number] or found is None or not os.path.samestat(found, status)

    def _compare_metadata(self, entry, status):
        if entry.kind == Kind.FILE:
            self._check_unchanged(entry, status)
        differs = bool(self._staging.standing_differences(entry, status))
        self._counts["changed" if differs else "unchanged"] += 1
        if not differs:
            return
        if entry.kind == Kind.DIRECTORY:
            self._touched[entry.number] = True
        elif entry.kind == Kind.FILE:
            self._add(Do.TEND, self._path(entry), entry=entry)
        else:
            self._touch_parent(entry)
            self._provide(entry)

    def _check_unchanged(self, entry, status):
        base = self._staging.bases.get(entry.number)
        if base is None or base.identity != Identity.of(status):
            raise self._standing.changed(entry)

    def _check_known(self, entry):
        """What came into being only now is not replaced unseen."""
        if self._staging.bases.get(entry.number) is None:
            raise self._standing.changed(entry)

    def _touch_parent(self, entry):
        if entry.number:
            self._touched[entry.parent] = True

    def _add(self, do, path, number=0, **more):
        self._steps.add(Step(do, path, number, **more))

    def _path(self, entry):
        return self._below(self._journal.path(entry.number))

    def _below(self, path):
        return below(self._name, path)
