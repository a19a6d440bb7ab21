"""Keeps a reserve of bytes and inodes on the destination's file system: stops before the disk is full, with numbers."""

import os
import threading

from .trouble import no_inodes, no_space

STRIDE_BYTES = 64 * 1024 * 1024
STRIDE_INODES = 4096
BLOCK = 4096


class Headroom:
    """Asks the file system only now and then: after a good part of what was free at the last look has been taken.

    A file system that counts no blocks or no inodes (ramfs, btrfs) has no limit on them.
    """

    def __init__(self, descriptor, path, reserve_bytes=0, reserve_inodes=0):
        self._descriptor = descriptor
        self._path = path
        self._reserve_bytes = reserve_bytes
        self._reserve_inodes = reserve_inodes
        self._lock = threading.Lock()
        self._bytes_left = 0
        self._inodes_left = 0

    def take_bytes(self, count):
        """Before `count` bytes are written; NoSpace if they would eat into the reserve."""
        rounded = -(-count // BLOCK) * BLOCK
        with self._lock:
            if rounded > self._bytes_left:
                self._look_at_bytes(rounded)
            self._bytes_left -= rounded

    def take_inode(self):
        """Before something is created; NoInodes if it would eat into the reserve."""
        with self._lock:
            if not self._inodes_left:
                self._look_at_inodes()
            self._inodes_left -= 1

    def _look_at_bytes(self, needed):
        system = os.statvfs(self._descriptor)
        if not system.f_blocks:
            self._bytes_left = max(needed, STRIDE_BYTES)
            return
        free = system.f_bavail * system.f_frsize
        usable = free - self._reserve_bytes
        if needed > usable:
            raise no_space(self._path, free, self._reserve_bytes, needed)
        self._bytes_left = max(needed, min(usable // 2, STRIDE_BYTES))

    def _look_at_inodes(self):
        system = os.statvfs(self._descriptor)
        if not system.f_files:
            self._inodes_left = STRIDE_INODES
            return
        usable = system.f_favail - self._reserve_inodes
        if usable < 1:
            raise no_inodes(self._path, system.f_favail, self._reserve_inodes, 1)
        self._inodes_left = max(1, min(usable // 2, STRIDE_INODES))
