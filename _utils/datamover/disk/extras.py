"""What stands at the destination and is not in the source's list: found for delete=True, with all that protects it.

The same protects what is in a directory that something of another kind shall take the place of.

Never found, so never deleted: staging directories, what something is mounted on and all below that, sockets (which
never travel, so that no list has them), what the request leaves out (`protected`), and every directory that holds one
of these. What is found inside a directory comes before the directory.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from ..errors import DeletionRefused, shown
from ..manifest import Kind
from .bases import Extra
from .safepath import descend
from .staging import PREFIX

EXAMPLES = 5


def nothing_protected(_path, _is_directory):
    return False


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may be deleted: a number of entries, or a share of those that stand there."""

    number: int | None = None
    share: float | None = None

    @classmethod
    def read(cls, value):
        """From the setting: a number, or a text such as `50%`."""
        return cls(number=value) if isinstance(value, int) else cls(share=float(value.rstrip("%")) / 100)

    def permits(self, deleted, standing):
        return deleted <= (self.number if self.share is None else self.share * standing)

    def __str__(self):
        return f"{self.number}" if self.share is None else f"{self.share * 100:g}%"


class _Open:
    """A directory on the way down: its path below the root, what is still to be looked at, whether it may go."""

    __slots__ = ("path", "names", "may_go")

    def __init__(self, path, names):
        self.path = path
        self.names = names
        self.may_go = True


class Extras:
    """find() looks through every directory of the list that stands there, and below what is found in them."""

    def __init__(self, standing, journal, bases, protected=nothing_protected, step=lambda: None):
        self._standing = standing
        self._journal = journal
        self._bases = bases
        self._protected = protected
        self._step = step
        self._device = None
        self.examples = []
        self.count = 0

    def find(self):
        """Put all of it into the bases; how many there are."""
        for entry in self._journal.entries((Kind.DIRECTORY,)):
            status = self._standing.look(entry)
            if status is not None and self._may_enter(entry, status):
                self._find_beside(entry)
        return self.count

    def _may_enter(self, entry, status):
        """Whether what stands under a listed directory's name is one, and not another file system's."""
        if not entry.number:
            self._device = status.st_dev
        mounted = status.st_dev != self._device or self._standing.is_mount(self._journal.path(entry.number))
        return stat.S_ISDIR(status.st_mode) and not mounted

    def refuse_beyond(self, limit, known):
        """DeletionRefused if more would go than permitted; `known` entries of the list stand there."""
        standing = known + self.count
        if limit.permits(self.count, standing):
            return
        text = (
            f"{self.count} of the {standing} entries at the destination are not in the source and would be deleted, "
            f"among them {', '.join(map(shown, self.examples))}; delete_limit={limit} permits less. Nothing was "
            "changed: look whether the source is the right one and complete, then raise delete_limit"
        )
        raise DeletionRefused(text, deleted=self.count, standing=standing)

    def _find_beside(self, entry):
        path = self._journal.path(entry.number)
        with self._standing.hold(entry.number) as directory:
            listed = self._bases.names(entry.number)
            beside = [name for name in _names(directory) if name not in listed]
            for name in beside:
                self._judge(directory, entry.number, path, name)
        self._step()

    def _judge(self, directory, parent, above, name):
        """Find one thing that stands beside the list, and all that is in it."""
        path = above + b"/" + name if above else name
        status = self._deletable(directory, name, path)
        if status is None:
            return
        if not stat.S_ISDIR(status.st_mode):
            self._add(parent, path, False)
            return
        self._walk(directory, parent, name, path)

    def _walk(self, directory, parent, name, path):
        top = descend(directory, [name])
        try:
            way = [_Open(path, _names(top))]
            while way:
                self._advance(top, parent, len(path), way)
        finally:
            os.close(top)

    def _advance(self, top, parent, skipped, way):
        """Look at the next name of the innermost directory, or leave it."""
        here = way[-1]
        if not here.names:
            way.pop()
            if here.may_go:
                self._add(parent, here.path, True)
            elif way:
                way[-1].may_go = False
            return
        inside = descend(top, [each for each in here.path[skipped:].split(b"/") if each])
        try:
            self._take(inside, parent, here.names.pop(), way)
        finally:
            os.close(inside)
        self._step()

    def _take(self, inside, parent, name, way):
        """Find one thing in the innermost directory of the way, which goes on into it if it is a directory."""
        path = way[-1].path + b"/" + name
        status = self._deletable(inside, name, path)
        if status is None:
            way[-1].may_go = False
        elif stat.S_ISDIR(status.st_mode):
            way.append(_Open(path, _names_below(inside, name)))
        else:
            self._add(parent, path, False)

    def _deletable(self, directory, name, path):
        """The lstat of something that may be deleted, None if it may not."""
        with suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            return None if self._stays(name, path, status) else status
        return None

    def _stays(self, name, path, status):
        if name.startswith(PREFIX) or self._standing.is_mounted(path):
            return True
        never_listed = status.st_dev != self._device or stat.S_ISSOCK(status.st_mode)
        return never_listed or self._protected(path, stat.S_ISDIR(status.st_mode))

    def _add(self, parent, path, is_directory):
        self._bases.add_extra(Extra(parent, path, is_directory))
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(path)


class Replaced(Extras):
    """A directory that something of another kind takes the place of: all that is in it goes too, if it may.

    `kept` is the path of something that may not.
    """

    def __init__(self, standing, protected, step):
        super().__init__(standing, None, None, protected, step)
        self.kept = None

    def spares(self, directory, name, path):
        """Whether a deletion would leave what is under this name, for itself or for something in it."""
        self._device = os.fstat(directory).st_dev
        status = self._deletable(directory, name, path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            self._walk(directory, None, name, path)
        return self.kept is not None

    def look_through(self, directory, name, path, device):
        """Look for what may not go."""
        self._device = device
        self._walk(directory, None, name, path)

    def _stays(self, name, path, status):
        stays = super()._stays(name, path, status)
        if stays and self.kept is None:
            self.kept = path
        return stays

    def _add(self, parent, path, is_directory):
        """All of it goes at one stroke."""


def _names_below(directory, name):
    deeper = descend(directory, [name])
    try:
        return _names(deeper)
    finally:
        os.close(deeper)


def _names(directory):
    return sorted(map(os.fsencode, os.listdir(directory)), reverse=True)
