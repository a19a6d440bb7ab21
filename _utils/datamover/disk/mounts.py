"""Which directories are mount points, as the kernel lists them for this thread."""

import os
import re

_ESCAPED = re.compile(rb"\\([0-7]{3})")


def parse(mountinfo):
    """The mount points in the text of /proc/thread-self/mountinfo, in its order."""
    return [_ESCAPED.sub(_byte, line.split(b" ")[4]) for line in mountinfo.splitlines() if line]


def _byte(match):
    return bytes([int(match[1], 8)])


def at_or_below(path):
    """Mount points at a real path (no links in it) or below."""
    with open("/proc/thread-self/mountinfo", "rb") as table:
        points = parse(table.read())
    return [point for point in points if point == path or point.startswith(path.rstrip(b"/") + b"/")]


def real_path(descriptor):
    """Where the directory of this descriptor is now, without links."""
    return os.readlink(b"/proc/self/fd/%d" % descriptor)
