"""Private file systems, trees made of literals, and a copy from one directory to another by the disk edges alone."""

import contextlib
import ctypes
import functools
import hashlib
import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from datamover.blocks import BLOCK
from datamover.disk.journal import Journal
from datamover.disk.special import NAMES
from datamover.disk.staging import Staging
from datamover.disk.tree import SourceTree
from datamover.manifest import Kind
from datamover.selection import EVERYTHING

TRANSFER = "0123456789abcdef" * 2
ALGORITHM = "sha256"
HASHER = hashlib.sha256
_NEW_MOUNTS = 0x00020000 | 0x00000200


def private_mounts(test):
    """Run a test in a thread with its own mount namespace: what it mounts goes with it and is seen by nobody else."""

    @functools.wraps(test)
    def wrapper(*arguments, **keywords):
        outcome = []

        def body():
            try:
                _leave_the_hosts_mounts()
                test(*arguments, **keywords)
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if outcome:
            raise outcome[0]

    return wrapper


def _leave_the_hosts_mounts():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


def run(*argv, **keywords):
    return subprocess.run(argv, check=True, capture_output=True, **keywords).stdout


def tmpfs(path, options):
    path.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path)
    return path


def ext4(path, image, megabytes, *options):
    """A small ext4 in the sparse file `image`."""
    with open(image, "wb") as out:
        out.truncate(megabytes << 20)
    run("mkfs.ext4", "-q", "-F", *options, image)
    path.mkdir(parents=True, exist_ok=True)
    run("mount", "-o", "loop", image, path)
    return path


def plant(root, tree):
    """Make a tree: names to bytes (a file), a dict (a directory), a str (a symbolic link)."""
    for name, what in tree.items():
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        if isinstance(what, dict):
            os.makedirs(path, exist_ok=True)
            plant(path, what)
        elif isinstance(what, str):
            os.symlink(what, path)
        else:
            with open(path, "wb") as out:
                out.write(what)
    return Path(os.fsdecode(root))


def age(root, seconds=3600):
    """Make everything old: nothing is suspect any more as far as mtime goes (ctime cannot be set)."""
    for directory, _, files in os.walk(os.fsencode(root), topdown=False):
        for name in [*files, b"."]:
            path = os.path.join(directory, name)
            then = os.lstat(path).st_mtime_ns - seconds * 10**9
            os.utime(path, ns=(then, then), follow_symlinks=False)


@contextlib.contextmanager
def source(root, special=NAMES, owners="names", selection=EVERYTHING, whole=False):
    """(tree, journal) of a source."""
    with Journal("") as journal, SourceTree(os.fsencode(root), journal, special, owners, selection, whole) as tree:
        yield tree, journal


@contextlib.contextmanager
def destination(final, owners="names", reserve=(0, 0), transfer=TRANSFER, *, special):
    """(staging, journal) of a destination; what is still staged at the end is removed."""
    with Journal("") as journal:
        about = {"host": "beta"}
        staging = Staging.create(os.fsencode(final), transfer, about, journal, owners, reserve, special=special)
        try:
            yield staging, journal
        finally:
            staging.remove()
            staging.close()


@dataclass(frozen=True)
class Copied:
    """What send() reports: how the two ends' roots and the metadata compare."""

    roots_equal: bool
    differences: list
    skipped: list


PIECE = 256 * 1024


def send(tree, journal, staging, received, small=64 * 1024):
    """Everything from a source tree into staging, verified as the ends of a transfer verify it."""
    staging.announce(list(tree.walk()))
    for entry in journal.entries((Kind.FILE,)):
        _send_file(tree, journal, staging, entry, small)
    staging.sync()
    for entry in received.entries((Kind.FILE,)):
        received.put_content(entry.number, 1, staging.read_back(entry.number, HASHER, BLOCK))
    staging.make_specials()
    staging.apply_metadata()
    roots = journal.root(BLOCK, ALGORITHM), received.root(BLOCK, ALGORITHM)
    return Copied(roots[0] == roots[1], staging.check_metadata(), tree.skipped.shown)


def _send_file(tree, journal, staging, entry, small):
    with tree.open(entry) as file:
        if entry.size <= small:
            view = memoryview(bytearray(entry.size))
            assert file.read_into(0, view) == entry.size
            staging.put_small(entry.number, 1, view)
        else:
            _send_pieces(file, staging, entry)
            staging.finish(entry.number)
        journal.put_content(entry.number, 1, file.digest(HASHER, BLOCK))
        assert file.unchanged()


def _send_pieces(file, staging, entry):
    for offset, length, is_hole in file.extents():
        if is_hole:
            staging.hole(entry.number, 1, offset, length)
            continue
        for at in range(offset, offset + length, PIECE):
            view = memoryview(bytearray(min(PIECE, offset + length - at)))
            assert file.read_into(at, view) == len(view)
            staging.write(entry.number, 1, at, view)


def copy(source_root, staging, received, **options):
    with source(source_root, **options) as (tree, journal):
        return send(tree, journal, staging, received)


def independent_differences(one, other):
    """What rsync sees that differs in any way: its itemized list, empty if all is equal."""
    options = "-naHAXS", "--checksum", "--delete", "--itemize-changes", "--no-inc-recursive"
    return run("rsync", *options, f"{one}/", f"{other}/").decode(errors="replace").splitlines()
