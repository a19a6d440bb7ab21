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
        rounded = -(-count // BLOCK) * BLOCK
        with self._lock:
            if not self._bytes.covers(rounded):
                self._bytes = Allowance(self._look_at_bytes(rounded))
            self._bytes.take(rounded)

    def take_inode(self):
        """Before something is created; NoInodes if it would eat into the reserve."""
        with self._lock:
            if not self._inodes.covers(1):
                self._inodes = Allowance(self._look_at_inodes())
            self._inodes.take(1)

    def _look_at_bytes(self, needed):
        system = os.statvfs(self._descriptor)
        if not system.f_blocks:
            return max(needed, STRIDE_BYTES)
        free = system.f_bavail * system.f_frsize
        usable = free - self._reserve_bytes
        if needed > usable:
            raise no_space(self._path, free, self._reserve_bytes, needed)
        return max(needed, min(usable // 2, STRIDE_BYTES))

    def _look_at_inodes(self):
        system = os.statvfs(self._descriptor)
        if not system.f_files:
            return STRIDE_INODES
        usable = system.f_favail - self._reserve_inodes
        if usable < 1:
            raise no_inodes(self._path, system.f_favail, self._reserve_inodes, 1)
        return max(1, min(usable // 2, STRIDE_INODES))
