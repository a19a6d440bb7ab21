"""The destination's edge of an update: what differs is staged, and in the end put into the existing tree, file by file.

Staged files lie side by side, each under a name made of its path. A file of which the destination has a part already
is made of that part and of what arrives: the blocks that are held are copied (shared, where the file system can) before
it is finished, and then it is read back like any other. A file of which everything is held is not staged at all, unless
what stands there is a further name of a file that another entry of the list keeps: then it becomes a file of its own.
What an earlier attempt had staged of a file is gone on with where that is not less than what stands there.
Order of use as in staging; between announce and the pieces consider() says what stands there.
"""

import os
import stat
from collections.abc import Callable
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache

from ..errors import DiskError, KindClash, ProtocolError, shown
from ..manifest import Kind
from ..selection import Selection
from . import holdings, metadata, overlay, planning, sparse, steps
from .bases import Base, Bases
from .extras import Extras, Limit, Replaced, nothing_protected
from .holdings import HeldFile, blocks_there
from .safepath import Descriptors, descend, split_final, within
from .staging import DIFFERENCES_SHOWN, Staging, _Opened
from .standing import Finding, Standing, compare
from .steps import CHANGES, below, staged_name
from .trouble import on_disk

BOOKS = b"standing.db"
CLASHES_SHOWN = 5
NAMES_KEPT = 4096
FIRST = 1
"""The try of a file that may go on with what was staged before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request says. `compare` is time or digest; what is `protected(path, is_directory)` is not deleted."""

    compare: str = "time"
    overwrite: bool = False
    delete: bool = False
    limit: Limit = Limit(share=0.5)
    protected: Callable[[bytes, bool], bool] = nothing_protected

    @classmethod
    def of(cls, settings):
        """From a spec's settings."""
        selection = Selection(settings["include"], settings["exclude"])

        def is_left_out(path, is_directory):
            return not selection.takes(path, is_directory)

        limit = Limit.read(settings["delete_limit"])
        return cls(settings["compare"], settings["overwrite"], settings["delete"], limit, is_left_out)


class StandingFile(HeldFile):
    """Of a file that stands there all counts, to the end of its last hole."""

    def __init__(self, descriptor, entry, block_size):
        super().__init__(descriptor, entry, block_size)
        there = min(os.fstat(descriptor).st_size, entry.size)
        self.told = blocks_there(there, there, entry.size, block_size)


class Flat:
    """Where staged things lie: all in one directory. `path_of(number)` is the path of the step that puts it in place.
    """

    def __init__(self, anchor, name, path_of):
        self._open = Descriptors(lambda _: descend(anchor, [name]), 1)
        self._name_of = lru_cache(NAMES_KEPT)(lambda number: staged_name(path_of(number)))

    def hold(self, _place=None):
        return self._open.hold(None)

    def place(self, number, _parent=None, _name=None):
        return None, self._name_of(number)

    def close(self):
        self._open.close()


class Marks:
    """Numbers of entries, at a byte for each. One thread adds, any may ask."""

    def __init__(self):
        self._marks = bytearray()

    def add(self, number):
        self._marks.extend(bytes(max(0, number + 1 - len(self._marks))))
        self._marks[number] = True

    def __contains__(self, number):
        return number < len(self._marks) and bool(self._marks[number])


class UpdateStaging(Staging):
    """Made by create(), which takes `asked` too."""

    ARRIVES_IN = CHANGES

    def __init__(self, final, transfer, journal, anchor, parent, *rest):
        super().__init__(final, transfer, journal, anchor, parent, *rest)
        self.journal = journal
        self.standing = Standing(parent, split_final(final)[1], journal)
        self.asked = Asked()
        self.bases = None
        self._held = {}
        self._resumed = Marks()
        self._known = self.trusted = 0
        self.step = lambda: None

    def _directories_in(self, name):
        final_name = split_final(self.final)[1]
        return Flat(self.anchor, name, lambda number: below(final_name, self._journal.path(number)))

    @classmethod
    def create(cls, *how, asked=Asked(), **options):
        return super().create(*how, **options)._begin(asked)

    @classmethod
    def take_over(cls, *how, asked, **options):
        """What stands there is compared anew; what an earlier attempt staged needs not come again."""
        return super().take_over(*how, **options)._begin(asked)

    def _begin(self, asked):
        with on_disk("prepare the staging directory beside", self.final), suppress(FileExistsError):
            os.mkdir(CHANGES, 0o700, dir_fd=self.anchor)
        self.asked = asked
        self.bases = self.bases or self._new_bases()
        return self

    def _new_bases(self):
        """What an earlier attempt noted is out of date, and may be damaged."""
        for name in (BOOKS, BOOKS + b"-wal", BOOKS + b"-shm"):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self.anchor)
        return Bases(os.fsdecode(within(self.anchor, BOOKS)))

    def _let_go(self):
        super()._let_go()
        self.standing.close()
        if self.bases:
            self.bases.close()

    # What stands there

    def announce(self, entries):
        """Write entries into the journal; nothing is made of them before it is known what stands there."""
        self._refuse_specials(entries)
        self._journal.add(entries)
        if self.asked.delete:
            self.bases.add_names(entries)

    def consider(self, entries):
        """Look at what stands under announced names; the numbers of files that are kept.

        KindClash for what is in the way.
        """
        found = [(entry, status) for entry in entries if (status := self._look(entry)) is not None]
        self._known += len(found)
        self._refuse_clashes(found)
        bases = [(entry.number, base) for entry, status in found if (base := self._base(entry, status))]
        self.bases.put(bases)
        kept = [(number, base) for number, base in bases if base.kept]
        self.trusted += sum(base.identity.size > 0 for _, base in kept)
        return [number for number, _ in kept]

    def _look(self, entry):
        with self._on_disk("look at", entry.number):
            return self.standing.look(entry)

    def _base(self, entry, status):
        """The file that stands under a file's name, None if it is of another kind."""
        finding = compare(entry, entry.kind, status, self.granularity)
        if entry.kind != Kind.FILE or finding is Finding.OTHER:
            return None
        identity = metadata.Identity.of(status)
        trusted = finding is Finding.EQUAL and self.asked.compare == "time"
        taken = status.st_nlink > 1 and self._journal.first_name(identity, entry.number) != entry.number
        return Base(identity, not taken and (trusted or entry.size == status.st_size == 0), taken)

    def _refuse_clashes(self, found):
        clashes = [(entry, status) for entry, status in found if self._is_other(entry, status)]
        if self.asked.overwrite:
            self._refuse_losses(clashes)
        elif clashes:
            self._refuse_other_kinds(clashes)

    def _refuse_losses(self, clashes):
        """What is in a directory that is replaced goes with it; not what no deletion would touch."""
        for entry, status in clashes:
            kept = self._kept_in(entry, status.st_dev) if stat.S_ISDIR(status.st_mode) else None
            if kept is not None:
                raise KindClash(self._loss(entry, status, kept), path=kept)

    def _kept_in(self, entry, device):
        """The path of something in the directory that stands there which may not go; None if all of it may."""
        replaced = Replaced(self.standing, self.asked.protected, self.step)
        path = self._journal.path(entry.number)
        with self._on_disk("look through", entry.number):
            self.standing.within(entry, lambda at, name, _: replaced.look_through(at, name, path, device))
        return replaced.kept

    def _loss(self, entry, status, kept):
        return (
            f"{self._clash(entry, status)}, and in it is {shown(kept)}, which stays: it is left out by include or "
            "exclude, a socket, another transfer's, or on another file system. Nothing was changed: move it away, or "
            "give the file another name"
        )

    def _refuse_other_kinds(self, clashes):
        words = [self._clash(*each) for each in clashes[:CLASHES_SHOWN]]
        more = f" and {len(clashes) - CLASHES_SHOWN} more" if len(clashes) > CLASHES_SHOWN else ""
        text = f"{'; '.join(words)}{more}. Nothing was changed: remove them at the destination, or add overwrite=True"
        raise KindClash(text, path=self._journal.path(clashes[0][0].number))

    def _is_other(self, entry, status):
        return metadata.kind_of(status.st_mode) != self.standing.kind(entry)

    def _clash(self, entry, status):
        path = shown(self._journal.path(entry.number)) or "the destination"
        there, here = metadata.kind_name(status.st_mode).lower(), self.standing.kind(entry).name.lower()
        return f"{path} is a {there} there and a {here} at the source"

    def find_extras(self):
        """All is announced: find what delete=True is to delete; DeletionRefused if that is more than permitted."""
        if not self.asked.delete:
            return
        extras = Extras(self.standing, self._journal, self.bases, self.asked.protected, self.step)
        with on_disk("look through", self.final):
            extras.find()
        extras.refuse_beyond(self.asked.limit, self._known)

    # What is held

    def held(self, entry, block_size):
        """What an earlier attempt staged of a file, or what stands under its name, if a block of it may be one of the
        source's. Which of them it is holds for this attempt; the other is not needed.
        """
        if entry.number in self._resumed:  # told on a link that broke: what was staged is no longer where it was
            return nullcontext()
        base = self.bases.get(entry.number)
        if self._goes_on(entry, base):
            self._resumed.add(entry.number)
            return super().held(entry, block_size)
        for holding in self.holdings:
            holding.drop(entry)
        if base is None or base.kept or not _may_share_a_block(entry.size, base.identity.size, block_size):
            return nullcontext()
        return self._reading(entry, base, block_size)

    def _goes_on(self, entry, base):
        """Whether what an earlier attempt staged of a file is not less than what stands there of it."""
        if not self.holdings or (base and base.kept):
            return False
        staged = holdings.data_found(self.holdings, entry)
        return staged > 0 and staged >= self._data_standing(entry, base)

    def _data_standing(self, entry, base):
        if base is None:
            return 0
        with self._on_disk("read", entry.number), _Opened(self.standing.open(entry, base.identity)) as descriptor:
            return sparse.data_within(descriptor, entry.size)

    @contextmanager
    def _reading(self, entry, base, block_size):
        with self._on_disk("read", entry.number):
            descriptor = self.standing.open(entry, base.identity)
        with closing(os.fdopen(descriptor, "rb", buffering=0)):
            yield StandingFile(descriptor, entry, block_size)

    def keep(self, number, try_, offset, length):
        """This range was held. False if it belongs to an older try."""
        if number in self._resumed:
            return self._keep_staged(number, try_, offset, length)
        with self._guard(number):
            if try_ < self._journal.known(number).try_:
                return False
            remember(self._held.setdefault((number, try_), []), offset, length)
        self._complete_what_began(number, try_)
        return True

    def _keep_staged(self, number, try_, offset, length):
        """The file begins with what an earlier attempt staged of it."""
        kept = super().keep(number, try_, offset, length)
        if kept and (number, try_) not in self._given:
            path = self._journal.path(number)
            raise DiskError(f"what an earlier attempt had staged of {shown(path)} is gone; another attempt sends it")
        return kept

    def _is_given(self, entry, try_, directory, name):
        return entry.number in self._resumed and super()._is_given(entry, try_, directory, name)

    def write(self, number, try_, offset, view):
        written = super().write(number, try_, offset, view)
        self._complete_what_began(number, try_)
        return written

    def hole(self, number, try_, offset, length):
        written = super().hole(number, try_, offset, length)
        self._complete_what_began(number, try_)
        return written

    def _complete_what_began(self, number, try_):
        """Once anything of a file is staged, what is held of it is copied beside that."""
        if (number, try_) in self._held and (number, try_) in self._begun:
            self._copy_held(number, try_)

    def in_place(self, number):
        return number in self._resumed or not self.is_staged(number)

    def feed_held(self, number, offset, length, builder):
        """What is held of what stands there is where it was until the file is complete."""
        if (number, FIRST) in self._given:
            super().feed_held(number, offset, length, builder)
            return
        entry = self._journal.entry(number)
        with self._on_disk("read", number), _Opened(self._open_base(entry)) as descriptor:
            sparse.feed(descriptor, os.fstat(descriptor), offset, length, builder)

    def finish(self, number):
        entry, try_, _ = self._journal.known(number)
        if (number, try_) in self._held:
            if not self.is_staged(number) and self._may_stay(entry):
                del self._held[number, try_]
                return True
            self._copy_held(number, try_)
        return super().finish(number)

    def _may_stay(self, entry):
        """Whether what stands there is all that the entry is to be, once all of it is held."""
        base = self.bases.get(entry.number)
        return base.identity.size == entry.size and not base.taken

    def _copy_held(self, number, try_):
        with self._guard(number):
            held = self._held.pop((number, try_), ())
        entry = self._journal.entry(number)
        with self._on_disk("copy what is held of", number), _Opened(self._open_base(entry)) as base:
            status = os.fstat(base)
            with self._files.hold((number, try_)) as staged:
                for offset, length in held:
                    if sparse.has_holes(status):
                        self._windows.hole((number, try_), staged, offset, length)
                    overlay.copy(base, status, staged, offset, length, self._before_copying)
            if metadata.Identity.of(os.fstat(base)) != metadata.Identity.of(status):
                raise self.standing.changed(entry)

    def _before_copying(self, length):
        self._headroom.take_bytes(length)
        self.step()

    def _open_base(self, entry):
        base = self.bases.get(entry.number)
        if base is None:
            raise ProtocolError(f"{entry} is said to be held, but nothing of it is here")
        return self.standing.open(entry, base.identity)

    def is_staged(self, number):
        """Whether anything of this entry is staged."""
        with self._directories.hold() as directory:
            try:
                os.stat(self._directories.place(number)[1], dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return True

    def _open_to_read(self, entry):
        """What was not staged, because all of it is held, is read where it stands."""
        return super()._open_to_read(entry) if self.is_staged(entry.number) else self._open_base(entry)

    partial = False

    def restart(self, entry, try_):
        """What stood there was compared with another state of the entry: now all of it comes."""
        self._held.pop((entry.number, try_ - 1), None)
        super().restart(entry, try_)

    # Finishing

    def make_specials(self):
        """Make what is no file, and find out all that is to be done to the existing tree."""
        with on_disk("prepare the update of", self.final):
            self.tallies = planning.plan(self)

    def make_special(self, entry):
        """Stage a symbolic link, FIFO or device."""
        self._headroom.take_inode()
        with self._on_disk("make", entry.number):
            self._make_special(entry)

    def apply_metadata(self):
        """Staged files have theirs; that of what stands there is set when everything is published."""

    def check_metadata(self):
        """What differs from the entries in what is staged."""
        found = []
        for each in steps.read(self.anchor):
            if each.do is steps.Do.PUT:
                with self._on_disk("look at", each.number):
                    found += self._differences(self._journal.entry(each.number))
            if len(found) >= DIFFERENCES_SHOWN:
                break
        return found[:DIFFERENCES_SHOWN]

    def standing_differences(self, entry, status):
        """How what stands there differs from an entry, beside its bytes."""

        def differences(directory, name, path):
            attributes, _ = metadata.read_attributes(path, self._owners)
            target = os.readlink(name, dir_fd=directory) if stat.S_ISLNK(status.st_mode) else b""
            return metadata.differences(entry, status, attributes, target, self._owners, self.granularity)

        return self.standing.within(entry, differences)


def remember(ranges, offset, length):
    """Add a range; one that follows on the last makes that longer, so that millions of blocks cost little."""
    if ranges and sum(ranges[-1]) == offset:
        before, known = ranges.pop()
        offset, length = before, known + length
    ranges.append((offset, length))


def _may_share_a_block(size, standing, block_size):
    return size == standing or min(size, standing) >= block_size
