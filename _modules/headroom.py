"""
Room on this host's file systems: bytes, inodes, write access, mount points. Changes nothing.
"""

import os

from salt.exceptions import CommandExecutionError

from datamover.disk import destination, safepath
from transferplan import units

__virtualname__ = "headroom"


def __virtual__():
    return __virtualname__


def check(path, bytes=0, inodes=0, reserve_bytes=0, reserve_inodes=0):
    """
    Tell whether something fits below a directory, and what file system that is.

    path
        An absolute path. If it is not there, the nearest directory above it is looked at.

    bytes : 0
        How much shall fit: a number, or a size such as 120GiB.

    inodes : 0
        How many files and directories shall fit.

    reserve_bytes : 0
        How much shall be left then, as a number or size.

    reserve_inodes : 0
        How many inodes shall be left then.

    Returns a dict: ``fits``, ``reasons`` (a sentence for everything that stands in the way), ``path``,
    ``nearest`` (the directory that was looked at), ``mount`` (its mount point), ``fs_type``, ``device``,
    ``read_only``, ``writable`` (for this minion), ``bytes_free``, ``bytes_total``, ``inodes_free``,
    ``inodes_total`` (0 where the file system has no fixed number). Paths have every byte that is not printable
    ASCII as %XX.

    CLI Example:

    .. code-block:: bash

        salt db2 headroom.check /srv/data bytes=120GiB inodes=100000 reserve_bytes=5GiB
    """
    room = _room(path)
    reasons = _reasons(room, _bytes(bytes), int(inodes), _bytes(reserve_bytes), int(reserve_inodes))
    return {"fits": not reasons, "reasons": reasons, "path": safepath.encode_path(os.fsencode(path)), **room}


def same_filesystem(one, other):
    """
    Tell whether two places lie on one file system, and whether a rename can lead from one to the other.

    one
        An absolute path. If it is not there, the nearest directory above it is looked at.

    other
        Another.

    Returns a dict: ``same`` (one file system), ``rename`` (also the same mount of it, without which no rename is
    possible), ``one`` and ``other`` (for each: ``nearest``, ``mount``, ``fs_type``, ``device``).

    CLI Example:

    .. code-block:: bash

        salt db2 headroom.same_filesystem /srv/data /srv/staging
    """
    rooms = [{key: _room(path)[key] for key in ("nearest", "mount", "fs_type", "device")} for path in (one, other)]
    same = rooms[0]["device"] == rooms[1]["device"]
    return {"same": same, "rename": same and rooms[0]["mount"] == rooms[1]["mount"], "one": rooms[0], "other": rooms[1]}


def _room(path):
    if not os.path.isabs(path):
        raise CommandExecutionError(f"{path!r} is no absolute path: it has to begin with a slash.")
    place = os.fsencode(os.path.normpath(path))
    room = destination.room(place)
    return {**room, "writable": destination.is_writable(destination.nearest_directory(place))}


def _bytes(size):
    try:
        return units.parse_size(str(size))
    except ValueError:
        raise CommandExecutionError(f"{size!r} is no size: a number of bytes, 200MB, 4GiB are.") from None


def _reasons(room, size, inodes, reserve_bytes, reserve_inodes):
    place, kind = room["nearest"], room["fs_type"]
    reasons = []
    if room["read_only"]:
        reasons.append(f"{place} is on a file system ({kind} at {room['mount']}) that is mounted read-only.")
    elif not room["writable"]:
        reasons.append(f"This minion may not write in {place}.")
    if size + reserve_bytes > room["bytes_free"]:
        free, wanted, kept = (units.size(count) for count in (room["bytes_free"], size, reserve_bytes))
        reasons.append(f"{place} has {free} free; {wanted} are wanted and {kept} shall be left.")
    if room["inodes_total"] and inodes + reserve_inodes > room["inodes_free"]:
        reasons.append(
            f"{place} has {room['inodes_free']} inodes free; {inodes} are wanted and {reserve_inodes} shall be left."
        )
    return reasons
