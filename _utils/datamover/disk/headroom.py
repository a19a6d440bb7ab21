"""Keeps a reserve of bytes and inodes on the destination's file system: stops before the disk is full, with numbers."""

import os
import threading
import time

from .trouble import no_inodes, no_space

STRIDE_BYTES = 64 * 1024 * 1024
STRIDE_INODES = 4096
BLOCK = 4096
BELIEVED = 1.0
"""Seconds after which a look is too old: others write there too."""


class Allowance:
    """So much may be taken without another look, if it is taken soon."""

    def __init__(self, amount=0):
        self._left = amount
        self._until = time.monotonic() + BELIEVED

    def covers(self, count):
        return count <= self._left and time.monotonic() < self._until

    def take(self, count):
        self._left -= count


class Headroom:
    """Asks the file system only now and then: after a good part of what was free at the last look has been taken, or
    when that was a while ago.

    A file system that counts no blocks or no inodes (ramfs, btrfs) has no limit on them.
    """

    def __init__(self, descriptor, path, reserve_bytes=0, reserve_inodes=0):
        self._descriptor = descriptor
        self._path = path
        self._reserve_bytes = reserve_bytes
        self._reserve_inodes = reserve_inodes
        self._lock = threading.Lock()
        self._bytes = Allowance()
        self._inodes = Allowance()

    def take_bytes(self, count):
        """Before `count` bytes are written; NoSpace if they would eat into the reserve."""
        with self._lock:
            self._take_rounded(_rounded(count))

    def take_inode(self):
        """Before something is created; NoInodes if it would eat into the reserve."""
        with self._lock:
            self._take_inodes(1)

    def take_files(self, sizes):
        """Before files of these sizes are created and written."""
        rounded = list(map(_rounded, sizes))
        with self._lock:
            self._take_rounded(sum(rounded))
            self._take_inodes(len(rounded))

    def _take_rounded(self, size):
        if not self._bytes.covers(size):
            self._bytes = Allowance(self._look_at_bytes(size))
        self._bytes.take(size)

    def _take_inodes(self, count):
        if not self._inodes.covers(count):
            self._inodes = Allowance(self._look_at_inodes(count))
        self._inodes.take(count)

    def _look_at_bytes(self, needed):
        system = os.statvfs(self._descriptor)
        if not system.f_blocks:
            return max(needed, STRIDE_BYTES)
        free = system.f_bavail * system.f_frsize
        usable = free - self._reserve_bytes
        if needed > usable:
            raise no_space(self._path, free, self._reserve_bytes, needed)
        return max(needed, min(usable // 2, STRIDE_BYTES))

    def _look_at_inodes(self, needed):
        system = os.statvfs(self._descriptor)
        if not system.f_files:
            return max(needed, STRIDE_INODES)
        usable = system.f_favail - self._reserve_inodes
        if usable < needed:
            raise no_inodes(self._path, system.f_favail, self._reserve_inodes, needed)
        return max(needed, min(usable // 2, STRIDE_INODES))


def _rounded(count):
    return -(-count // BLOCK) * BLOCK
