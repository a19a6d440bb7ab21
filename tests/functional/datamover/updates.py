"""An update from one directory to another by the disk edges alone, without wire and engine."""

import contextlib
import os

from datamover.blocks import ContentBuilder, block_range
from datamover.disk import settle
from datamover.disk.journal import Journal
from datamover.disk.special import NAMES
from datamover.disk.update import Asked, UpdateStaging
from datamover.manifest import Kind
from tests.functional.datamover.ends import Ends
from tests.functional.datamover.places import HASHER, TRANSFER, source

BLOCK = 64 * 1024


@contextlib.contextmanager
def standing(final, **asked):
    """(staging, journal) of a destination that is updated; what is still staged at the end is removed."""
    with Journal("") as journal:
        how = {"special": NAMES, "asked": Asked(**asked)}
        staging = UpdateStaging.create(os.fsencode(final), TRANSFER, {"host": "beta"}, journal, **how)
        try:
            yield staging, journal
        finally:
            staging.remove()
            staging.close()


def bring(root, staging, journal):
    """Announce, compare, send what differs, read back: all up to the seal. Returns the bytes that had to move."""
    with source(root) as (tree, ours):
        staging.announce(list(tree.walk()))
        kept = set(staging.consider(list(ours.entries())))
        staging.find_extras()
        moved = 0
        for entry in ours.entries((Kind.FILE,)):
            if entry.number not in kept:
                with tree.open(entry) as file:
                    moved += send_file(staging, file, told(staging, entry))
    staging.sync()
    staging.make_specials()
    staging.apply_metadata()
    assert staging.check_metadata() == []
    staging.sync()
    return moved


def told(staging, entry):
    """The digests of the blocks of what stands there."""
    builder = ContentBuilder(HASHER, BLOCK)
    with staging.held(entry, BLOCK) as file:
        if file:
            file.feed(0, file.told, builder, lambda: None)
    return builder.finish().blocks


def send_file(staging, file, blocks):
    """Hand over one file block by block, as held where what stands there has the same block."""
    entry, moved = file.entry, 0
    if not entry.size:
        staging.put_small(entry.number, 1, memoryview(b""))
        check_content(staging, file)
        return 0
    for index in range(-(-entry.size // BLOCK)):
        offset, length = block_range(index, entry.size, BLOCK)
        view = memoryview(bytearray(length))
        file.read_into(offset, view)
        if index < len(blocks) and blocks[index] == digest(view):
            staging.keep(entry.number, 1, offset, length)
        else:
            staging.write(entry.number, 1, offset, view)
            moved += length
    staging.finish(entry.number)
    check_content(staging, file)
    return moved


def check_content(staging, file):
    ours = file.digest(HASHER, BLOCK)
    number = file.entry.number
    assert staging.read_back(number, HASHER, BLOCK) == ours


def digest(view):
    builder = ContentBuilder(HASHER, BLOCK)
    builder.update(view)
    return builder.finish().whole


def publish(staging):
    intent = settle.intend(staging, "names")
    settle.publish(staging, intent)
    return intent


def update(root, final, **asked):
    """The whole of it; returns (bytes that had to move, Tallies)."""
    with standing(final, **asked) as (staging, journal):
        moved = bring(root, staging, journal)
        publish(staging)
        return moved, staging.tallies


class Updates(Ends):
    """A whole transfer that updates beta:`folder`/final: an Ends that publishes file by file."""

    def __init__(self, root, folder, compare="time", delete=False, **settings):
        self.asked = Asked(compare, delete=delete, overwrite=settings.pop("overwrite", False))
        super().__init__(root, folder, staging=self, in_place=True, compare=compare, **settings)

    def create(self, *how, **more):
        return UpdateStaging.create(*how, asked=self.asked, **more)

    def take_over(self, *how, **more):
        return UpdateStaging.take_over(*how, asked=self.asked, **more)

    @property
    def arrived(self):
        return self.folder / "final"

    def publish(self):
        super().publish()
        settle.discard(self.staging, publish(self.staging))
