"""A first look at a source, read-only, within a time budget: how much there is, and what would stand in the way."""

import os
import stat
import time

from ..manifest import Kind
from ..selection import EVERYTHING
from . import special
from .metadata import kind_name, kind_of, list_attributes
from .safepath import Directories, encode_path, open_parent, within
from .staging import PREFIX
from .trouble import words

SHOWN = 20
PLURALS = {
    Kind.FILE: "files",
    Kind.DIRECTORY: "directories",
    Kind.SYMLINK: "symlinks",
    Kind.FIFO: "fifos",
    Kind.CHARDEV: "devices",
    Kind.BLOCKDEV: "devices",
    None: "sockets",
}


def survey(root, budget_seconds, selection=EVERYTHING, ours=True):
    """What facts say of a source: counts, bytes, special files, trouble; "estimated" if the budget ended too early.

    All of what `selection` takes; "excluded" says how much it leaves out, a directory with all below it as one.
    Without `ours` the staging directories of transfers are passed over, as they are where something is deleted.
    """
    look = _Look(root, time.monotonic() + budget_seconds, selection, ours)
    look.take()
    return look.report()


class _Look:
    def __init__(self, root, deadline, selection, ours):
        self._root = root
        self._deadline = deadline
        self._selection = selection
        self._passed_over = () if ours else (PREFIX,)
        self._excluded = 0
        self._found = special.Found()
        self._counts = dict.fromkeys(
            ("files", "directories", "symlinks", "hardlinks", "fifos", "devices", "sockets"), 0
        )
        self._bytes = self._disk_bytes = self._largest = self._newest = 0
        self._unreadable = []
        self._mounts = []
        self._links = set()
        self._estimated = False
        self._kind = None
        self._device = None
        self._identity = []
        self._places = []

    def take(self):
        try:
            anchor, name = open_parent(self._root)
        except OSError as error:
            self._note_unreadable(b"", error)
            return
        directories = Directories(anchor, name, lambda number: self._places[number])
        try:
            self._take_root(anchor, name, directories)
        finally:
            directories.close()
            os.close(anchor)

    def _take_root(self, anchor, name, directories):
        try:
            status = os.stat(name, dir_fd=anchor, follow_symlinks=False)
        except OSError as error:
            self._note_unreadable(b"", error)
            return
        self._kind = kind_name(status.st_mode).lower()
        self._device = status.st_dev
        self._identity = [status.st_dev, status.st_ino]
        self._places.append((0, b""))
        pending = [(0, b"")] if self._take(anchor, name, b"", status) else []
        while pending and not self._estimated:
            pending += self._take_directory(directories, *pending.pop())

    def _take_directory(self, directories, number, path):
        """(number, path) of the directories in it that are to be taken too."""
        below = []
        try:
            with directories.hold(number) as directory, os.scandir(directory) as entries:
                for item in entries:
                    name = os.fsencode(item.name)
                    if name.startswith(self._passed_over) or not self._is_selected(item, _join(path, name)):
                        continue
                    if self._take_child(directory, name, path):
                        self._places.append((number, name))
                        below.append((len(self._places) - 1, _join(path, name)))
        except OSError as error:
            self._note_unreadable(path, error)
        return below

    def _is_selected(self, item, path):
        taken = not self._selection or self._selection.takes(path, item.is_dir(follow_symlinks=False))
        self._excluded += not taken
        return taken

    def _take_child(self, directory, name, path):
        if time.monotonic() > self._deadline:
            self._estimated = True
            return False
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            return self._take(directory, name, _join(path, name), status)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._note_unreadable(_join(path, name), error)
            return False

    def _take(self, directory, name, path, status):
        """Count one entry; whether it is a directory to go into."""
        kind = kind_of(status.st_mode)
        self._newest = max(self._newest, status.st_mtime)
        if self._is_another_name(kind, status):
            self._counts["hardlinks"] += 1
            return False
        self._counts[PLURALS[kind]] += 1
        if kind is None:
            self._found.add("sockets", path)
            return False
        for word in special.names_of(kind, stat.S_IMODE(status.st_mode), list_attributes(within(directory, name))):
            self._found.add(word, path)
        if kind == Kind.FILE:
            self._take_file(directory, name, path, status)
        return kind == Kind.DIRECTORY and not self._is_mount(path, status)

    def _is_another_name(self, kind, status):
        if status.st_nlink < 2 or kind in (Kind.DIRECTORY, None):
            return False
        known = (status.st_dev, status.st_ino) in self._links
        self._links.add((status.st_dev, status.st_ino))
        return known

    def _take_file(self, directory, name, path, status):
        self._bytes += status.st_size
        self._largest = max(self._largest, status.st_size)
        self._disk_bytes += status.st_blocks * 512
        if not os.access(name, os.R_OK, dir_fd=directory, effective_ids=True):
            self._note(path, "no permission to read it")

    def _is_mount(self, path, status):
        if status.st_dev == self._device:
            return False
        self._mounts.append(path)
        return True

    def _note_unreadable(self, path, error):
        self._note(path, words(error))

    def _note(self, path, why):
        if len(self._unreadable) < SHOWN:
            self._unreadable.append({"path": encode_path(path), "why": why})

    def _shown(self, name):
        return [encode_path(path) for path in self._found.paths.get(name, ())]

    def report(self):
        exists = self._kind is not None
        counts = self._counts
        return {
            "exists": exists,
            "kind": self._kind,
            "readable": exists and not self._unreadable,
            "entries": sum(counts.values()) - counts["sockets"],
            "files": counts["files"],
            "directories": counts["directories"],
            "bytes": self._bytes,
            "disk_bytes": self._disk_bytes,
            "largest": self._largest,
            "excluded": self._excluded,
            "estimated": self._estimated,
            "special": {name: self._shown(name) for name in (*special.NAMES, "sockets")},
            "counts": {**counts, **self._found.counts},
            "unreadable": self._unreadable,
            "mounts_below": [encode_path(path) for path in self._mounts[:SHOWN]],
            "real": encode_path(os.path.realpath(self._root)),
            "identity": self._identity,
            "newest_mtime_age": max(0.0, time.time() - self._newest) if exists else None,
        }


def _join(path, name):
    return path + b"/" + name if path else name
